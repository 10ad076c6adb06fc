
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Certificates with the name of their issuer that are not self-signed, such as
 * Cloudflare's shared one.  OpenSSL 4.0.0 to 4.0.2 take every such certificate
 * for self-signed, whatever its key identifiers, and do not look for an issuer
 * (issue 32793).  For a copy with another name they do.
 */


#include <openssl/x509v3.h>

#include "ngx_aop_selfissued.h"


int
ngx_aop_selfissued_openssl(unsigned long version)
{
    return version >= 0x40000000 && version < 0x40000030;
}


/*
 * Both key identifiers exist and differ.  If one is missing, all versions of
 * OpenSSL take such a certificate for self-signed.
 */

int
ngx_aop_selfissued(X509 *x509)
{
    const ASN1_OCTET_STRING  *own, *issuer;

    own = X509_get0_subject_key_id(x509);
    issuer = X509_get0_authority_key_id(x509);

    return own != NULL
           && issuer != NULL
           && ASN1_OCTET_STRING_cmp(own, issuer) != 0
           && X509_NAME_cmp(X509_get_subject_name(x509),
                            X509_get_issuer_name(x509))
              == 0;
}


/*
 * One part more than in the name: so name constraints hold for the copy if
 * and only if they hold for the certificate.  The attribute is one that OpenSSL
 * takes neither for a host nor for a mailbox.
 */

X509 *
ngx_aop_selfissued_copy(X509 *x509)
{
    int         ok;
    X509       *copy;
    X509_NAME  *name;

    copy = X509_dup(x509);
    name = X509_NAME_dup((X509_NAME *) X509_get_subject_name(x509));

    ok = copy != NULL
         && name != NULL
         && X509_NAME_add_entry_by_NID(name, NID_dnQualifier, MBSTRING_ASC,
                                       (unsigned char *) "copy", -1, -1, 0)
         && X509_set_subject_name(copy, name);

    X509_NAME_free(name);

    if (!ok) {
        X509_free(copy);
        return NULL;
    }

    return copy;
}
