package AOP::Test::Fault;

# Calls that fail when a test says so: those that the module, or aopctl, makes
# to nginx and to libraries, above all for memory.  As in t/unit/oom.h, a test
# lets the first call fail, then the second, and so on, until a run did not
# reach the one that was to fail:
#
#     my $fault = AOP::Test::Fault->new;
#
#     $fault->run(sub { $nginx->start });
#     $fault->each(once => sub { get($port) });
#
# What nginx calls itself, or one library another, does not fail: what is tested
# is what our code does then.

use strict;
use warnings;

use Carp qw(croak);
use File::Spec;
use File::Temp;

# What tells of a failure, by the call.  All of them take numbers and pointers,
# six at most.
my %FAILURE = (
    (map { $_ => 0 } qw(
        ngx_alloc_chain_link ngx_array_create ngx_array_push ngx_array_push_n ngx_create_pool
        ngx_http_add_variable ngx_http_cleanup_add ngx_list_push ngx_palloc ngx_pcalloc ngx_pnalloc
        ngx_pool_cleanup_add ngx_pstrdup ngx_shared_memory_add ngx_slab_calloc
        ngx_slab_calloc_locked

        BIO_new BIO_new_mem_buf CRYPTO_malloc CRYPTO_realloc CRYPTO_strdup
        CRYPTO_strndup CRYPTO_zalloc EVP_Digest EVP_DigestFinal_ex
        EVP_DigestInit_ex EVP_DigestUpdate EVP_MD_CTX_new EVP_PKEY_CTX_new_id
        EVP_PKEY_keygen EVP_PKEY_keygen_init OPENSSL_sk_new_null OPENSSL_sk_push
        SSL_CTX_add_client_CA SSL_CTX_new SSL_CTX_set_ex_data
        SSL_CTX_set_session_ticket_cb SSL_SESSION_set1_ticket_appdata SSL_new
        SSL_set_ex_data SSL_set_fd SSL_set_session SSL_use_PrivateKey
        SSL_use_certificate X509V3_EXT_conf_nid X509_CRL_digest
        X509_NAME_add_entry_by_txt X509_NAME_dup X509_NAME_print_ex
        X509_STORE_CTX_init X509_STORE_CTX_new X509_STORE_add_cert
        X509_STORE_add_crl X509_STORE_new X509_add_ext X509_digest X509_new
        X509_sign

        calloc curl_easy_init curl_multi_init curl_url fdopen json_array json_integer json_object json_string
        json_stringn malloc)),

    ferror => 1,

    (map { $_ => -1 } qw(
        CRYPTO_get_ex_new_index connect curl_easy_setopt curl_global_init
        curl_multi_add_handle curl_multi_perform curl_multi_poll curl_url_set
        fstat i2d_X509 json_array_append_new json_array_set_new json_object_set_new nghttp2_session_callbacks_new
        nghttp2_session_client_new nghttp2_session_mem_send
        nghttp2_submit_request nghttp2_submit_settings
        ngx_http_compile_complex_value ngx_http_complex_value open poll
        socket)),
);

# Those that fail only if named: who waits for an answer then waits in vain.
my %BY_NAME = (SSL_write => -1);

my $SOURCE = <<'EOF';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile struct {
    long  armed;
    long  from;         /* those that follow fail as well */
    long  left;         /* calls before the one that fails */
    long  failed;
    char  call[64];
} *fault;

/* a build with --coverage writes what it has counted, when it is unloaded */

static int  ended;

static void
end(void)
{
    ended = 1;
}

static int
fails(const char *call)
{
    static int  called;

    /* not before: what is registered last runs first */

    if (!called) {
        called = 1;
        atexit(end);
    }

    if (ended || !fault->armed || (fault->failed && !fault->from)) {
        return 0;
    }

    if (fault->left > 0) {
        fault->left--;
        return 0;
    }

    if (!fault->failed) {
        fault->failed = 1;
        strncpy((char *) fault->call, call, sizeof(fault->call) - 1);
    }

    errno = ENOMEM;

    return 1;
}

#define CALL(name, failure)                                                   \
    static long (*real_##name)(long, long, long, long, long, long);           \
                                                                              \
    static long                                                               \
    our_##name(long a, long b, long c, long d, long e, long f)                \
    {                                                                         \
        return fails(#name) ? failure : real_##name(a, b, c, d, e, f);        \
    }

CALLS

#undef CALL
#define CALL(name, failure)                                                   \
    { #name, (void **) &real_##name, (void *) our_##name },

static const struct {
    const char   *name;
    void        **real;
    void         *ours;
} calls[] = { CALLS { 0 } };

/* "slot" is where an object has the address of what it calls by this name */

static void
redirect(void **slot, const char *name)
{
    size_t     i;
    uintptr_t  size, page;

    for (i = 0; calls[i].name; i++) {

        if (strcmp(calls[i].name, name) != 0) {
            continue;
        }

        size = sysconf(_SC_PAGESIZE);
        page = (uintptr_t) slot & ~(size - 1);

        if (mprotect((void *) page, size, PROT_READ|PROT_WRITE) != 0) {
            abort();
        }

        *calls[i].real = dlsym(RTLD_DEFAULT, name);
        *slot = calls[i].ours;
    }
}

static void
redirect_all(void *handle)
{
    size_t            n, size[2] = { 0, 0 };
    ElfW(Dyn)        *dyn;
    ElfW(Sym)        *symbols;
    ElfW(Rela)       *rela[2];
    const char       *names;
    struct link_map  *map;

    dlinfo(handle, RTLD_DI_LINKMAP, &map);

    for (dyn = map->l_ld; dyn->d_tag != DT_NULL; dyn++) {
        switch (dyn->d_tag) {
        case DT_SYMTAB:   symbols = (void *) dyn->d_un.d_ptr; break;
        case DT_STRTAB:   names = (void *) dyn->d_un.d_ptr; break;
        case DT_RELA:     rela[0] = (void *) dyn->d_un.d_ptr; break;
        case DT_RELASZ:   size[0] = dyn->d_un.d_val; break;
        case DT_JMPREL:   rela[1] = (void *) dyn->d_un.d_ptr; break;
        case DT_PLTRELSZ: size[1] = dyn->d_un.d_val; break;
        }
    }

    for (n = 0; n < 2; n++) {
        for ( /* void */ ; size[n]; size[n] -= sizeof(ElfW(Rela))) {
            redirect((void **) (map->l_addr + rela[n]->r_offset),
                     names + symbols[ELF64_R_SYM(rela[n]->r_info)].st_name);
            rela[n]++;
        }
    }
}

static int
ends_with(const char *path, const char *name)
{
    const char  *slash;

    slash = strrchr(path, '/');

    return slash && strcmp(slash + 1, name) == 0;
}

void *
dlopen(const char *path, int flags)
{
    void         *handle;
    static void  *(*next)(const char *, int);

    if (next == NULL) {
        next = (void *(*)(const char *, int)) dlsym(RTLD_NEXT, "dlopen");
    }

    handle = next(path, flags);

    if (handle && path && ends_with(path, "ngx_http_aop_module.so")) {
        redirect_all(handle);
    }

    return handle;
}

int
dlclose(void *handle)
{
    int         rc, was;
    static int  (*next)(void *);

    if (next == NULL) {
        next = (int (*)(void *)) dlsym(RTLD_NEXT, "dlclose");
    }

    was = ended;
    ended = 1;

    rc = next(handle);

    ended = was;

    return rc;
}

static void __attribute__((constructor))
start(void)
{
    int   fd;
    char  path[4096] = "";

    fd = open(getenv("AOP_TEST_FAULT"), O_RDWR);
    fault = mmap(NULL, sizeof(*fault), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (fault == MAP_FAILED) {
        abort();
    }

    close(fd);

    if (readlink("/proc/self/exe", path, sizeof(path) - 1) > 0
        && ends_with(path, "aopctl"))
    {
        redirect_all(dlopen(NULL, RTLD_LAZY));
    }
}
EOF


# new(@calls): those calls, or all that can, which succeed so far.
sub new {
    my ($class, @calls) = @_;

    @calls = sort keys %FAILURE unless @calls;

    my $self = bless {
        folder => File::Temp->newdir('aop-fault-XXXXXXXX',
                                     DIR => File::Spec->tmpdir),
    }, $class;

    my $calls = join ' ', map { "CALL($_, @{[ $FAILURE{$_} // $BY_NAME{$_} ]})" }
                @calls;

    $self->_write('fault.c', "#define CALLS $calls\n$SOURCE");
    $self->_set(0, 0, 0);

    system($ENV{CC} || 'cc', '-O2', '-shared', '-fPIC', '-o',
           $self->_path('fault.so'), $self->_path('fault.c'), '-ldl') == 0
        or croak 'cannot compile the faults';

    return $self;
}


# run(\&do): what is started there, and only that, fails when it is told to.
sub run {
    my ($self, $do) = @_;

    local $ENV{AOP_TEST_FAULT} = $self->_path('fault');
    local $ENV{LD_PRELOAD}     = join ' ', grep { defined && length }
                                 $ENV{LD_PRELOAD}, $self->_path('fault.so');

    return $do->();
}


# each($mode, \&do, $most): does that with the first call failing, then with the
# second, and so on, up to so many if that is given.  In mode "once" no other
# fails in the same run, in mode "from" all do that follow.  Returns for each
# call, in a pair, what "do" has returned and the name of the call.
sub each {
    my ($self, $mode, $do, $most) = @_;

    my @each;

    while (!defined $most || @each < $most) {
        $self->_set(1, $mode eq 'from', scalar @each);

        my $result = $do->();
        my ($failed, $call) =
            unpack 'x[l!3] l! Z64', $self->_read('fault');

        $self->_set(0, 0, 0);

        last unless $failed;
        push @each, [ $result, $call ];
    }

    return @each;
}


sub _set {
    my ($self, $armed, $from, $left) = @_;

    return $self->_write('fault', pack 'l!4 x64', $armed, $from, $left, 0);
}


sub _path { return File::Spec->catfile($_[0]{folder}->dirname, $_[1]) }


sub _read {
    my ($self, $name) = @_;

    open my $fh, '<:raw', $self->_path($name) or croak "cannot read $name: $!";
    local $/;

    return scalar <$fh>;
}


# the file is changed in place: the programs have mapped it
sub _write {
    my ($self, $name, $content) = @_;

    my $path = $self->_path($name);

    open my $fh, -e $path ? '+<:raw' : '>:raw', $path
        or croak "cannot write $path: $!";
    syswrite $fh, $content;
    close $fh or croak "cannot write $path: $!";

    return $self;
}


1;
