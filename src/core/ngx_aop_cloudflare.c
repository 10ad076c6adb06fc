
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is known about Cloudflare, as data: its origin-pull CA, its address
 * ranges, and the certificates that look like the former but are not.
 */


#include <string.h>
#include <openssl/pem.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_cloudflare.h"


#define ngx_aop_array_size(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    unsigned char        digest[NGX_AOP_DIGEST];
    ngx_aop_lookalike_e  kind;
} ngx_aop_lookalike_t;


/* RSA-4096, serial 5791BA9556C22E61, 2019-10-10 to 2029-11-01 */

static const char  ngx_aop_cloudflare_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIGCjCCA/KgAwIBAgIIV5G6lVbCLmEwDQYJKoZIhvcNAQENBQAwgZAxCzAJBgNV\n"
    "BAYTAlVTMRkwFwYDVQQKExBDbG91ZEZsYXJlLCBJbmMuMRQwEgYDVQQLEwtPcmln\n"
    "aW4gUHVsbDEWMBQGA1UEBxMNU2FuIEZyYW5jaXNjbzETMBEGA1UECBMKQ2FsaWZv\n"
    "cm5pYTEjMCEGA1UEAxMab3JpZ2luLXB1bGwuY2xvdWRmbGFyZS5uZXQwHhcNMTkx\n"
    "MDEwMTg0NTAwWhcNMjkxMTAxMTcwMDAwWjCBkDELMAkGA1UEBhMCVVMxGTAXBgNV\n"
    "BAoTEENsb3VkRmxhcmUsIEluYy4xFDASBgNVBAsTC09yaWdpbiBQdWxsMRYwFAYD\n"
    "VQQHEw1TYW4gRnJhbmNpc2NvMRMwEQYDVQQIEwpDYWxpZm9ybmlhMSMwIQYDVQQD\n"
    "ExpvcmlnaW4tcHVsbC5jbG91ZGZsYXJlLm5ldDCCAiIwDQYJKoZIhvcNAQEBBQAD\n"
    "ggIPADCCAgoCggIBAN2y2zojYfl0bKfhp0AJBFeV+jQqbCw3sHmvEPwLmqDLqynI\n"
    "42tZXR5y914ZB9ZrwbL/K5O46exd/LujJnV2b3dzcx5rtiQzso0xzljqbnbQT20e\n"
    "ihx/WrF4OkZKydZzsdaJsWAPuplDH5P7J82q3re88jQdgE5hqjqFZ3clCG7lxoBw\n"
    "hLaazm3NJJlUfzdk97ouRvnFGAuXd5cQVx8jYOOeU60sWqmMe4QHdOvpqB91bJoY\n"
    "QSKVFjUgHeTpN8tNpKJfb9LIn3pun3bC9NKNHtRKMNX3Kl/sAPq7q/AlndvA2Kw3\n"
    "Dkum2mHQUGdzVHqcOgea9BGjLK2h7SuX93zTWL02u799dr6Xkrad/WShHchfjjRn\n"
    "aL35niJUDr02YJtPgxWObsrfOU63B8juLUphW/4BOjjJyAG5l9j1//aUGEi/sEe5\n"
    "lqVv0P78QrxoxR+MMXiJwQab5FB8TG/ac6mRHgF9CmkX90uaRh+OC07XjTdfSKGR\n"
    "PpM9hB2ZhLol/nf8qmoLdoD5HvODZuKu2+muKeVHXgw2/A6wM7OwrinxZiyBk5Hh\n"
    "CvaADH7PZpU6z/zv5NU5HSvXiKtCzFuDu4/Zfi34RfHXeCUfHAb4KfNRXJwMsxUa\n"
    "+4ZpSAX2G6RnGU5meuXpU5/V+DQJp/e69XyyY6RXDoMywaEFlIlXBqjRRA2pAgMB\n"
    "AAGjZjBkMA4GA1UdDwEB/wQEAwIBBjASBgNVHRMBAf8ECDAGAQH/AgECMB0GA1Ud\n"
    "DgQWBBRDWUsraYuA4REzalfNVzjann3F6zAfBgNVHSMEGDAWgBRDWUsraYuA4REz\n"
    "alfNVzjann3F6zANBgkqhkiG9w0BAQ0FAAOCAgEAkQ+T9nqcSlAuW/90DeYmQOW1\n"
    "QhqOor5psBEGvxbNGV2hdLJY8h6QUq48BCevcMChg/L1CkznBNI40i3/6heDn3IS\n"
    "zVEwXKf34pPFCACWVMZxbQjkNRTiH8iRur9EsaNQ5oXCPJkhwg2+IFyoPAAYURoX\n"
    "VcI9SCDUa45clmYHJ/XYwV1icGVI8/9b2JUqklnOTa5tugwIUi5sTfipNcJXHhgz\n"
    "6BKYDl0/UP0lLKbsUETXeTGDiDpxZYIgbcFrRDDkHC6BSvdWVEiH5b9mH2BON60z\n"
    "0O0j8EEKTwi9jnafVtZQXP/D8yoVowdFDjXcKkOPF/1gIh9qrFR6GdoPVgB3SkLc\n"
    "5ulBqZaCHm563jsvWb/kXJnlFxW+1bsO9BDD6DweBcGdNurgmH625wBXksSdD7y/\n"
    "fakk8DagjbjKShYlPEFOAqEcliwjF45eabL0t27MJV61O/jHzHL3dknXeE4BDa2j\n"
    "bA+JbyJeUMtU7KMsxvx82RmhqBEJJDBCJ3scVptvhDMRrtqDBW5JShxoAOcpFQGm\n"
    "iYWicn46nPDjgTU0bX1ZPpTpryXbvciVL5RkVBuyX2ntcOLDPlZWgxZCBp96x07F\n"
    "AnOzKgZk4RzZPNAxCXERVxajn/FLcOhglVAKo5H0ac+AitlQ0ip55D2/mf8o72tM\n"
    "fVQ6VpyjEXdiIXWUq/o=\n"
    "-----END CERTIFICATE-----\n";


static const unsigned char  ngx_aop_cloudflare_digest[NGX_AOP_DIGEST] = {
    0x9a, 0x1a, 0xc2, 0xb4, 0xbe, 0x15, 0xf9, 0xf2, 0x7e,
    0xee, 0x20, 0xa7, 0x34, 0xcb, 0xa4, 0xe9, 0x89, 0x8f,
    0x61, 0x00, 0x1b, 0x3b, 0xd7, 0xc8, 0x4b, 0x69, 0xb5,
    0x6a, 0x3e, 0x25, 0xa2, 0xb9
};


/* https://www.cloudflare.com/ips/ */

static const char *const  ngx_aop_cloudflare_cidrs[] = {
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32"
};


/*
 * The editions of 2015 and 2019 of the origin-pull CA share name, serial and
 * key: only the whole certificate tells them apart.
 */

static const ngx_aop_lookalike_t  ngx_aop_lookalike_certs[] = {
    { {
        0x06, 0x24, 0x65, 0xee, 0xa1, 0x44, 0x01, 0xf4, 0x8b,
        0xe7, 0xd9, 0xa8, 0x73, 0xf2, 0xee, 0x67, 0x4f, 0x96,
        0x80, 0x65, 0x84, 0x22, 0x5d, 0x50, 0xc0, 0x4f, 0x76,
        0x1d, 0x44, 0x80, 0xb8, 0xba
      },
      NGX_AOP_LOOKALIKE_2015 }
};


/* Roots of the Origin CA, by SPKI: a renewed root keeps its key. */

static const ngx_aop_lookalike_t  ngx_aop_lookalike_keys[] = {
    { {
        0xb6, 0xe8, 0xc8, 0xca, 0x4c, 0x7c, 0xa5, 0xe6, 0x93,
        0x4e, 0xfe, 0xa0, 0x31, 0x36, 0x49, 0x27, 0xbb, 0xfe,
        0xdf, 0x08, 0x62, 0x29, 0x49, 0x9a, 0x60, 0xd8, 0x3b,
        0x5d, 0x58, 0x72, 0x22, 0xb7
      },
      NGX_AOP_LOOKALIKE_ORIGIN_CA },
    { {
        0x91, 0x14, 0xb3, 0x91, 0x6b, 0x64, 0x57, 0xdb, 0xf1,
        0x9b, 0x6f, 0xc0, 0x4e, 0xa6, 0xb6, 0x1a, 0xa3, 0x3a,
        0x98, 0x66, 0x8e, 0x71, 0xa0, 0x1b, 0xa6, 0x0c, 0x08,
        0xf8, 0xa5, 0x16, 0x7d, 0x5e
      },
      NGX_AOP_LOOKALIKE_ORIGIN_CA }
};


static const char *const  ngx_aop_origin_ca_units[] = {
    "CloudFlare Origin SSL Certificate Authority",
    "CloudFlare Origin SSL ECC Certificate Authority"
};


X509 *
ngx_aop_cloudflare_ca(void)
{
    BIO   *bio;
    X509  *x509;

    bio = BIO_new_mem_buf(ngx_aop_cloudflare_pem, -1);
    if (bio == NULL) {
        return NULL;
    }

    x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);

    return x509;
}


int
ngx_aop_cloudflare_is_ca(X509 *x509)
{
    unsigned char  digest[NGX_AOP_DIGEST];

    return ngx_aop_cert_digest(x509, digest)
           && memcmp(digest, ngx_aop_cloudflare_digest, NGX_AOP_DIGEST) == 0;
}


const ngx_aop_range_t *
ngx_aop_cloudflare_ranges(size_t *n)
{
    size_t       i;
    const char  *cidr;

    static size_t           nranges;
    static ngx_aop_range_t
                    ranges[ngx_aop_array_size(ngx_aop_cloudflare_cidrs)];

    for (i = nranges; i < ngx_aop_array_size(ranges); i++) {
        cidr = ngx_aop_cloudflare_cidrs[i];

        if (!ngx_aop_peer_range_parse(&ranges[i], cidr, strlen(cidr))) {
            return NULL;
        }

        nranges = i + 1;
    }

    *n = nranges;

    return ranges;
}


static ngx_aop_lookalike_e
ngx_aop_lookalike_find(const ngx_aop_lookalike_t *table, size_t n,
    const unsigned char *digest)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (memcmp(table[i].digest, digest, NGX_AOP_DIGEST) == 0) {
            return table[i].kind;
        }
    }

    return NGX_AOP_LOOKALIKE_NONE;
}


ngx_aop_lookalike_e
ngx_aop_cloudflare_lookalike(X509 *x509)
{
    unsigned char        digest[NGX_AOP_DIGEST];
    ngx_aop_lookalike_e  kind;

    kind = NGX_AOP_LOOKALIKE_NONE;

    if (ngx_aop_cert_digest(x509, digest)) {
        kind = ngx_aop_lookalike_find(ngx_aop_lookalike_certs,
                                 ngx_aop_array_size(ngx_aop_lookalike_certs),
                                 digest);
    }

    if (kind == NGX_AOP_LOOKALIKE_NONE && ngx_aop_cert_spki(x509, digest)) {
        kind = ngx_aop_lookalike_find(ngx_aop_lookalike_keys,
                                  ngx_aop_array_size(ngx_aop_lookalike_keys),
                                  digest);
    }

    return kind;
}


int
ngx_aop_cloudflare_origin_ca_name(const X509_NAME *name)
{
    int                     i, len;
    size_t                  n;
    const char             *unit;
    const ASN1_STRING      *value;
    const X509_NAME_ENTRY  *entry;

    /* X509_NAME_get_index_by_NID() takes a non-const name before 3.0 */

    i = X509_NAME_get_index_by_NID((X509_NAME *) name,
                                   NID_organizationalUnitName, -1);

    entry = X509_NAME_get_entry(name, i);
    if (entry == NULL) {
        return 0;
    }

    value = X509_NAME_ENTRY_get_data(entry);
    len = ASN1_STRING_length(value);

    for (n = 0; n < ngx_aop_array_size(ngx_aop_origin_ca_units); n++) {
        unit = ngx_aop_origin_ca_units[n];

        if ((size_t) len == strlen(unit)
            && memcmp(ASN1_STRING_get0_data(value), unit, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
