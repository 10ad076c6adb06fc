
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The judgement, on chains that are good, broken, or good by another policy.
 * Time is an argument: no case here knows what day it is.
 */


#include <openssl/err.h>

#include "ngx_aop_verify.h"
#include "oom.h"
#include "pki.h"


#define T_2038  INT64_C(2147483648)         /* 2^31 */
#define T_2050  INT64_C(2524608000)         /* GeneralizedTime from here */
#define T_2106  INT64_C(4294967296)         /* 2^32 */

#define SOON    (PKI_NOW + 10 * PKI_DAY)
#define SOONER  (PKI_NOW + 5 * PKI_DAY)
#define AGO     (PKI_NOW - 10 * PKI_DAY)


enum {
    ROOT = 1,
    INTER,
    DEEP,
    LEAF,
    LEAF_INTER,
    LEAF_DEEP,
    LEAF_RENEWED,
    SAME_NAME,

    OTHER,
    OTHER_LEAF,
    SELF,
    SELF_PLAIN,

    NAMESAKE,
    NAMESAKE_LEAF,
    NAMESAKE_PLAIN,
    RENEWED,
    OUTDATED,

    CLIENT,
    SERVER,
    BOTH,
    ANY_USE,
    SIGNING,
    ENCIPHER,
    SERVER_CA,
    SERVER_CA_LEAF,

    LEAF_LEAF,
    BARE_LEAF,
    NO_CA,
    NO_CA_LEAF,
    NO_SIGN,
    NO_SIGN_LEAF,
    V1,
    V1_LEAF,
    V1_CA,
    CERT_SIGN,
    CERT_SIGN_LEAF,
    CERT_SIGN_INTER,
    CERT_SIGN_INTER_LEAF,
    NETSCAPE,
    NETSCAPE_LEAF,
    NAMED,
    NAMED_LEAF,
    NARROW,
    NARROW_INTER,
    NARROW_LEAF,
    NARROW_INTER_LEAF,
    CRITICAL,

    RSA_1024,
    RSA_1024_CA,
    RSA_1024_CA_LEAF,
    SHA1_LEAF,
    SHA1_INTER,
    SHA1_INTER_LEAF,
    MD5_LEAF,

    LONG,
    BRIEF,
    BRIEF_INTER,
    BRIEF_INTER_LEAF,
    BRIEF_ROOT,
    BRIEF_ROOT_LEAF,
    TO_2038,
    FROM_2038,
    TO_2050,
    FROM_2050,
    TO_2106,
    FOREVER,

    ORIGIN_CA,
    ORIGIN_LEAF,
    NO_CRL_SIGN,
    NO_CRL_SIGN_LEAF,
    NCERTS
};


/* OpenSSL compares names and constraints up to a product of 2^20 */

#define VERIFY_NAMES  1100

static char  verify_constraints[VERIFY_NAMES * sizeof("permitted;DNS:a,") + 20];
static char  verify_names[VERIFY_NAMES * sizeof("DNS:a,") + 20];


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA, PKI_SKID } },
    [INTER] = { .name = "Intermediate", .by = ROOT,
                .ext = { PKI_CA, PKI_SKID, PKI_AKID } },
    [DEEP] = { .name = "Deep", .by = INTER,
               .ext = { PKI_CA, PKI_SKID, PKI_AKID } },
    [LEAF] = { .name = "Leaf", .by = ROOT, .ext = { PKI_AKID } },
    [LEAF_INTER] = { .name = "Leaf", .by = INTER, .ext = { PKI_AKID } },
    [LEAF_DEEP] = { .name = "Leaf", .by = DEEP, .ext = { PKI_AKID } },
    [LEAF_RENEWED] = { .name = "Leaf", .by = ROOT, .key = LEAF },

    /* as Cloudflare's own: subject and issuer are one name */

    [SAME_NAME] = { .name = "Root", .by = ROOT,
                    .ext = { "basicConstraints=critical,CA:FALSE",
                             "keyUsage=critical,digitalSignature",
                             "extendedKeyUsage=clientAuth", PKI_SKID,
                             PKI_AKID } },

    [OTHER] = { .name = "Other", .ext = { PKI_CA, PKI_SKID } },
    [OTHER_LEAF] = { .name = "Leaf", .by = OTHER, .ext = { PKI_AKID } },
    [SELF] = { .name = "Self", .ext = { PKI_CA } },
    [SELF_PLAIN] = { .name = "Self" },

    /* another CA of the same name: its leaves with and without key id */

    [NAMESAKE] = { .name = "Root", .ext = { PKI_CA, PKI_SKID } },
    [NAMESAKE_LEAF] = { .name = "Leaf", .by = NAMESAKE,
                        .ext = { PKI_AKID } },
    [NAMESAKE_PLAIN] = { .name = "Leaf", .by = NAMESAKE },

    /* editions of the same name and key, as Cloudflare's of 2015 and 2019 */

    [RENEWED] = { .name = "Root", .key = ROOT, .to = PKI_END,
                  .ext = { PKI_CA, PKI_SKID } },
    [OUTDATED] = { .name = "Root", .key = ROOT, .to = AGO,
                   .ext = { PKI_CA, PKI_SKID } },

    [CLIENT] = { .name = "Leaf", .by = ROOT,
                 .ext = { "extendedKeyUsage=clientAuth" } },
    [SERVER] = { .name = "Leaf", .by = ROOT,
                 .ext = { "extendedKeyUsage=serverAuth" } },
    [BOTH] = { .name = "Leaf", .by = ROOT,
               .ext = { "extendedKeyUsage=serverAuth,clientAuth" } },
    [ANY_USE] = { .name = "Leaf", .by = ROOT,
                  .ext = { "extendedKeyUsage=anyExtendedKeyUsage" } },
    [SIGNING] = { .name = "Leaf", .by = ROOT,
                  .ext = { "keyUsage=critical,digitalSignature" } },
    [ENCIPHER] = { .name = "Leaf", .by = ROOT,
                   .ext = { "keyUsage=critical,keyEncipherment" } },
    [SERVER_CA] = { .name = "Server CA", .by = ROOT,
                    .ext = { PKI_CA, "extendedKeyUsage=serverAuth" } },
    [SERVER_CA_LEAF] = { .name = "Leaf", .by = SERVER_CA },

    [LEAF_LEAF] = { .name = "Below", .by = CLIENT },
    [BARE_LEAF] = { .name = "Below", .by = LEAF_RENEWED },
    [NO_CA] = { .name = "No CA", .by = ROOT,
                .ext = { "basicConstraints=critical,CA:FALSE" } },
    [NO_CA_LEAF] = { .name = "Leaf", .by = NO_CA },
    [NO_SIGN] = { .name = "No sign", .by = ROOT,
                  .ext = { "basicConstraints=critical,CA:TRUE",
                           "keyUsage=critical,cRLSign" } },
    [NO_SIGN_LEAF] = { .name = "Leaf", .by = NO_SIGN },

    /* what OpenSSL takes for a CA that does not say that it is one */

    [V1] = { .name = "Version 1", .v1 = 1 },
    [V1_LEAF] = { .name = "Leaf", .by = V1 },
    [V1_CA] = { .name = "Version 1", .key = V1, .ext = { PKI_CA } },
    [CERT_SIGN] = { .name = "Sign", .ext = { "keyUsage=keyCertSign" } },
    [CERT_SIGN_LEAF] = { .name = "Leaf", .by = CERT_SIGN },
    [CERT_SIGN_INTER] = { .name = "Sign below", .by = ROOT,
                          .ext = { "keyUsage=keyCertSign" } },
    [CERT_SIGN_INTER_LEAF] = { .name = "Leaf", .by = CERT_SIGN_INTER },
    [NETSCAPE] = { .name = "Netscape", .ext = { "nsCertType=sslCA,client" } },
    [NETSCAPE_LEAF] = { .name = "Leaf", .by = NETSCAPE },

    [NAMED] = { .name = "Named", .ext = { PKI_CA, verify_constraints } },
    [NAMED_LEAF] = { .name = "Leaf", .by = NAMED, .ext = { verify_names } },

    [NARROW] = { .name = "Narrow",
                 .ext = { "basicConstraints=critical,CA:TRUE,pathlen:0",
                          "keyUsage=critical,keyCertSign,cRLSign" } },
    [NARROW_INTER] = { .name = "Narrow intermediate", .by = NARROW,
                       .ext = { PKI_CA } },
    [NARROW_LEAF] = { .name = "Leaf", .by = NARROW },
    [NARROW_INTER_LEAF] = { .name = "Leaf", .by = NARROW_INTER },
    [CRITICAL] = { .name = "Leaf", .by = ROOT,
                   .ext = { "1.2.3.4=critical,DER:05:00" } },

    [RSA_1024] = { .name = "Leaf", .by = ROOT, .rsa = 1024 },
    [RSA_1024_CA] = { .name = "Weak", .ext = { PKI_CA }, .rsa = 1024 },
    [RSA_1024_CA_LEAF] = { .name = "Leaf", .by = RSA_1024_CA },
    [SHA1_LEAF] = { .name = "Leaf", .by = ROOT, .md = "SHA1" },
    [SHA1_INTER] = { .name = "SHA-1", .by = ROOT, .md = "SHA1",
                     .ext = { PKI_CA } },
    [SHA1_INTER_LEAF] = { .name = "Leaf", .by = SHA1_INTER },
    [MD5_LEAF] = { .name = "Leaf", .by = RSA_1024_CA, .md = "MD5" },

    /* dates */

    [LONG] = { .name = "Long", .to = PKI_END, .ext = { PKI_CA } },
    [BRIEF] = { .name = "Leaf", .by = ROOT, .from = PKI_NOW, .to = SOON },
    [BRIEF_INTER] = { .name = "Brief", .by = ROOT, .from = PKI_NOW,
                      .to = SOON, .ext = { PKI_CA } },
    [BRIEF_INTER_LEAF] = { .name = "Leaf", .by = BRIEF_INTER },
    [BRIEF_ROOT] = { .name = "Brief root", .from = PKI_NOW, .to = SOON,
                     .ext = { PKI_CA } },
    [BRIEF_ROOT_LEAF] = { .name = "Leaf", .by = BRIEF_ROOT },
    [TO_2038] = { .name = "Leaf", .by = LONG, .to = T_2038 },
    [FROM_2038] = { .name = "Leaf", .by = LONG, .from = T_2038,
                    .to = T_2050 },
    [TO_2050] = { .name = "Leaf", .by = LONG, .to = T_2050 - 1 },
    [FROM_2050] = { .name = "Leaf", .by = LONG, .from = T_2050,
                    .to = T_2106 },
    [TO_2106] = { .name = "Leaf", .by = LONG, .to = T_2106 },
    [FOREVER] = { .name = "Leaf", .by = LONG, .to = PKI_END },

    [ORIGIN_CA] = { .name = "OU=CloudFlare Origin SSL Certificate Authority",
                    .ext = { PKI_CA } },
    [ORIGIN_LEAF] = { .name = "Leaf", .by = ORIGIN_CA },
    [NO_CRL_SIGN] = { .name = "No CRLs",
                      .ext = { "basicConstraints=critical,CA:TRUE",
                               "keyUsage=critical,keyCertSign" } },
    [NO_CRL_SIGN_LEAF] = { .name = "Leaf", .by = NO_CRL_SIGN }
};


enum {
    CRL_ROOT = 1,
    CRL_ROOT_KEYID,
    CRL_INTER,
    CRL_OTHER,
    CRL_NAMESAKE,
    CRL_LEAF,
    CRL_LEAF_INTER,
    CRL_INTER_REVOKED,
    CRL_INTER_REVOKED_KEYID,
    CRL_ROOT_REVOKED,
    CRL_MANY,
    CRL_BRIEF,
    CRL_BRIEF_INTER,
    CRL_OLD,
    CRL_FUTURE,
    CRL_NEWER,
    CRL_NEWER_CLEARED,
    CRL_NEVER,
    CRL_FORGED,
    CRL_CRITICAL,
    CRL_NO_SIGN,
    NCRLS
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL_ROOT] = { .by = ROOT },
    [CRL_ROOT_KEYID] = { .by = ROOT, .ext = { PKI_AKID } },
    [CRL_INTER] = { .by = INTER },
    [CRL_OTHER] = { .by = OTHER },
    [CRL_NAMESAKE] = { .by = NAMESAKE, .ext = { PKI_AKID } },
    [CRL_LEAF] = { .by = ROOT, .revoked = { LEAF } },
    [CRL_LEAF_INTER] = { .by = INTER, .revoked = { LEAF_INTER } },
    [CRL_INTER_REVOKED] = { .by = ROOT, .revoked = { INTER } },
    [CRL_INTER_REVOKED_KEYID] = { .by = ROOT, .revoked = { INTER },
                                  .ext = { PKI_AKID } },
    [CRL_ROOT_REVOKED] = { .by = ROOT, .revoked = { ROOT } },
    [CRL_MANY] = { .by = ROOT, .revoked = { SERVER, LEAF, CLIENT, INTER } },
    [CRL_BRIEF] = { .by = ROOT, .from = PKI_NOW, .to = SOON },
    [CRL_BRIEF_INTER] = { .by = INTER, .from = PKI_NOW, .to = SOONER },
    [CRL_OLD] = { .by = ROOT, .to = AGO },
    [CRL_FUTURE] = { .by = ROOT, .from = SOON },
    [CRL_NEWER] = { .by = ROOT, .from = AGO, .revoked = { LEAF } },
    [CRL_NEWER_CLEARED] = { .by = ROOT, .from = AGO },
    [CRL_NEVER] = { .by = ROOT, .to = PKI_NEVER },
    [CRL_FORGED] = { .by = ROOT, .signer = OTHER },
    [CRL_CRITICAL] = { .by = ROOT,
                       .ext = { "1.2.3.4=critical,DER:05:00" } },
    [CRL_NO_SIGN] = { .by = NO_CRL_SIGN }
};


typedef struct {
    const char         *name;

    pki_index_t         leaf;
    pki_index_t         chain[PKI_FEW];     /* as presented with it */

    pki_index_t         anchors[PKI_FEW];
    pki_index_t         crls[PKI_FEW];
    pki_index_t         pin_certs[PKI_FEW];
    pki_index_t         pin_spkis[PKI_FEW];
    int                 deeper;             /* than aop_verify_depth 1 */

    int                 level;
    int64_t             now;                /* 0: PKI_NOW */

    ngx_aop_verdict_e   verdict;
    pki_index_t         anchor;             /* ok, pin; 0: the first one */
    int64_t             until;              /* ok; 0: PKI_TO */
} verify_case_t;


static const verify_case_t  cases[] = {

    /* chains */

    { "a leaf of the root", LEAF, .anchors = { ROOT } },
    { "the root sent along", LEAF, { ROOT }, .anchors = { ROOT } },
    { "through an intermediate", LEAF_INTER, { INTER }, .anchors = { ROOT } },
    { "an intermediate as anchor", LEAF_INTER, .anchors = { INTER } },
    { "an intermediate as anchor, itself sent along", LEAF_INTER, { INTER },
      .anchors = { INTER } },
    { "an intermediate as anchor, its issuer sent along", LEAF_INTER,
      { INTER, ROOT }, .anchors = { INTER } },
    { "an anchor in the middle of the chain", LEAF_DEEP,
      { DEEP, INTER, ROOT }, .anchors = { INTER } },
    { "the leaf as its own anchor", LEAF, .anchors = { LEAF } },
    { "the leaf as its own anchor, its issuer sent along", LEAF, { ROOT },
      .anchors = { LEAF } },
    { "the leaf as its own anchor, below an intermediate", LEAF_INTER,
      { INTER, ROOT }, .anchors = { LEAF_INTER } },
    { "the self-signed leaf as its own anchor", SELF_PLAIN,
      .anchors = { SELF_PLAIN } },
    { "the subject is the CA's", SAME_NAME, .anchors = { ROOT } },
    { "the subject is the CA's, which is sent along", SAME_NAME, { ROOT },
      .anchors = { ROOT } },
    { "the subject is the CA's, the leaf as its own anchor", SAME_NAME,
      .anchors = { SAME_NAME } },
    { "one anchor of several", LEAF, .anchors = { OTHER, ROOT, NARROW },
      .anchor = ROOT },
    { "root and intermediate as anchors", LEAF_INTER,
      .anchors = { ROOT, INTER }, .anchor = INTER },
    { "leaf and root as anchors, the chain beside", LEAF, { ROOT },
      .anchors = { ROOT, LEAF } },
    { "the chain in reverse", LEAF_DEEP, { ROOT, INTER, DEEP },
      .anchors = { ROOT }, .deeper = 1 },
    { "the chain in any order", LEAF_DEEP, { INTER, ROOT, DEEP },
      .anchors = { ROOT }, .deeper = 1 },
    { "foreign certificates in the chain", LEAF_INTER,
      { OTHER, SELF, INTER, OTHER_LEAF }, .anchors = { ROOT } },
    { "the leaf sent twice", LEAF_INTER, { LEAF_INTER, INTER, INTER },
      .anchors = { ROOT } },

    { "no anchor at all", LEAF, { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "the intermediate not sent", LEAF_INTER, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "one of two intermediates not sent", LEAF_DEEP, { DEEP },
      .anchors = { ROOT }, .deeper = 1, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "another CA", OTHER_LEAF, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "another CA, which is sent along", OTHER_LEAF, { OTHER },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "another CA, and the anchor sent along", OTHER_LEAF, { ROOT, OTHER },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "self-signed", SELF_PLAIN, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "self-signed, a CA", SELF, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "self-signed, sent twice", SELF, { SELF }, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "a leaf is no anchor for its CA's others", CLIENT,
      .anchors = { LEAF }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "a leaf is no anchor for its CA's others, CA sent along", CLIENT,
      { ROOT }, .anchors = { LEAF }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "a leaf is no anchor for its renewed one", LEAF_RENEWED,
      .anchors = { LEAF }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "below an intermediate, beside the anchor", LEAF,
      .anchors = { INTER }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "Origin CA", ORIGIN_LEAF, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_ORIGIN_CA },
    { "Origin CA, which is sent along", ORIGIN_LEAF, { ORIGIN_CA },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_ORIGIN_CA },
    { "Origin CA itself", ORIGIN_CA, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_ORIGIN_CA },
    { "Origin CA's name is no verdict on a good chain", ORIGIN_LEAF,
      .anchors = { ORIGIN_CA } },

    /* CAs of one name */

    { "a CA of the same name", NAMESAKE_LEAF, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "a CA of the same name, which is sent along", NAMESAKE_LEAF,
      { NAMESAKE }, .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "a CA of the same name, no key id", NAMESAKE_PLAIN,
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "a CA of the same name, no key id, sent along", NAMESAKE_PLAIN,
      { NAMESAKE }, .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "two CAs of one name, a leaf of the first", LEAF,
      .anchors = { ROOT, NAMESAKE }, .anchor = ROOT },
    { "two CAs of one name, a leaf of the second", NAMESAKE_LEAF,
      .anchors = { ROOT, NAMESAKE }, .anchor = NAMESAKE },
    { "two editions of one CA", LEAF, .anchors = { OUTDATED, ROOT },
      .anchor = ROOT },
    { "two editions of one CA, the newer first", LEAF,
      .anchors = { ROOT, OUTDATED }, .anchor = ROOT },
    { "the outdated edition only", LEAF, .anchors = { OUTDATED },
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "another edition sent along", LEAF, { OUTDATED }, .anchors = { ROOT } },
    { "another edition is the anchor", LEAF, { ROOT }, .anchors = { RENEWED },
      .anchor = RENEWED },

    /* purpose */

    { "clientAuth", CLIENT, .anchors = { ROOT } },
    { "serverAuth and clientAuth", BOTH, .anchors = { ROOT } },
    { "digitalSignature", SIGNING, .anchors = { ROOT } },
    { "serverAuth", SERVER, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "serverAuth, as its own anchor", SERVER, .anchors = { SERVER },
      .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "any use, which is not clientAuth for OpenSSL", ANY_USE,
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "keyEncipherment", ENCIPHER, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "a CA for serverAuth", SERVER_CA_LEAF, { SERVER_CA },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "a CA for serverAuth, as anchor", SERVER_CA_LEAF,
      .anchors = { SERVER_CA }, .verdict = NGX_AOP_VERDICT_PURPOSE },

    /* depth */

    { "depth 0: a leaf of the root", LEAF, .anchors = { ROOT },
      .deeper = -1 },
    { "depth 0: the leaf as its own anchor", LEAF, .anchors = { LEAF },
      .deeper = -1 },
    { "depth 0: an intermediate as anchor", LEAF_INTER, { INTER, ROOT },
      .anchors = { INTER }, .deeper = -1 },
    { "depth 0: one intermediate", LEAF_INTER, { INTER }, .anchors = { ROOT },
      .deeper = -1, .verdict = NGX_AOP_VERDICT_DEPTH },
    { "depth 1: two intermediates", LEAF_DEEP, { DEEP, INTER },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_DEPTH },
    { "depth 1: two intermediates, the upper as anchor", LEAF_DEEP, { DEEP },
      .anchors = { INTER } },
    { "depth 2: two intermediates", LEAF_DEEP, { DEEP, INTER },
      .anchors = { ROOT }, .deeper = 1 },

    /* what a CA may */

    { "a leaf below a leaf", LEAF_LEAF, { CLIENT }, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_INVALID },
    { "a leaf below a leaf without extensions", BARE_LEAF, { LEAF_RENEWED },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "a leaf below a leaf that is an anchor", LEAF_LEAF,
      .anchors = { CLIENT }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "version 1, self-signed, as its own anchor", V1, .anchors = { V1 } },
    { "a leaf below version 1", V1_LEAF, .anchors = { V1 },
      .verdict = NGX_AOP_VERDICT_INVALID },
    { "a leaf below version 1, sent along", V1_LEAF, { V1 },
      .anchors = { V1 }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "a leaf below version 1, a CA of the same key too", V1_LEAF,
      .anchors = { V1, V1_CA }, .anchor = V1_CA },
    { "a leaf below version 1, a CA of the same key first", V1_LEAF,
      .anchors = { V1_CA, V1 } },
    { "a leaf below keyCertSign alone", CERT_SIGN_LEAF,
      .anchors = { CERT_SIGN }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "a leaf below a leaf with keyCertSign", CERT_SIGN_INTER_LEAF,
      { CERT_SIGN_INTER }, .anchors = { ROOT },
        .verdict = NGX_AOP_VERDICT_INVALID },
    { "a leaf with keyCertSign", CERT_SIGN_INTER, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "a leaf below Netscape's bit alone", NETSCAPE_LEAF,
      .anchors = { NETSCAPE }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "Netscape's bit, as its own anchor", NETSCAPE,
      .anchors = { NETSCAPE } },
    { "CA:FALSE", NO_CA_LEAF, { NO_CA }, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_INVALID },
    { "a CA that may not sign", NO_SIGN_LEAF, { NO_SIGN },
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "pathlen:0, a leaf", NARROW_LEAF, .anchors = { NARROW } },
    { "pathlen:0, an intermediate", NARROW_INTER_LEAF, { NARROW_INTER },
      .anchors = { NARROW }, .verdict = NGX_AOP_VERDICT_INVALID },
    { "an unknown critical extension", CRITICAL, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_INVALID },

    /* strength */

    { "level 0: RSA-1024", RSA_1024, .anchors = { ROOT }, .level = 0 },
    { "level 1: RSA-1024", RSA_1024, .anchors = { ROOT }, .level = 1 },
    { "level 2: RSA-1024", RSA_1024, .anchors = { ROOT }, .level = 2,
      .verdict = NGX_AOP_VERDICT_WEAK },
    { "level 1: a CA with RSA-1024", RSA_1024_CA_LEAF,
      .anchors = { RSA_1024_CA }, .level = 1 },
    { "level 2: a CA with RSA-1024", RSA_1024_CA_LEAF,
      .anchors = { RSA_1024_CA }, .level = 2,
      .verdict = NGX_AOP_VERDICT_WEAK },
    { "level 0: SHA-1", SHA1_LEAF, .anchors = { ROOT }, .level = 0 },
    { "level 2: SHA-1", SHA1_LEAF, .anchors = { ROOT }, .level = 2,
      .verdict = NGX_AOP_VERDICT_WEAK },
    { "level 2: SHA-1 of an intermediate", SHA1_INTER_LEAF, { SHA1_INTER },
      .anchors = { ROOT }, .level = 2, .verdict = NGX_AOP_VERDICT_WEAK },
    { "level 2: SHA-1 of the anchor", SHA1_INTER_LEAF,
      .anchors = { SHA1_INTER }, .level = 2 },
    { "level 0: MD5", MD5_LEAF, .anchors = { RSA_1024_CA }, .level = 0 },
    { "level 1: MD5", MD5_LEAF, .anchors = { RSA_1024_CA }, .level = 1,
      .verdict = NGX_AOP_VERDICT_WEAK },
    { "level 3: P-256 and SHA-256", LEAF, .anchors = { ROOT }, .level = 3 },
    { "level 4: P-256 and SHA-256", LEAF, .anchors = { ROOT }, .level = 4,
      .verdict = NGX_AOP_VERDICT_WEAK },

    /* dates of the leaf */

    { "leaf: a second before notBefore", BRIEF, .anchors = { ROOT },
      .now = PKI_NOW - 1, .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "leaf: at notBefore", BRIEF, .anchors = { ROOT }, .now = PKI_NOW,
      .until = SOON },
    { "leaf: a second after notBefore", BRIEF, .anchors = { ROOT },
      .now = PKI_NOW + 1, .until = SOON },
    { "leaf: a second before notAfter", BRIEF, .anchors = { ROOT },
      .now = SOON - 1, .until = SOON },
    { "leaf: a second after notAfter", BRIEF, .anchors = { ROOT },
      .now = SOON + 1, .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "leaf, its own anchor: before notBefore", BRIEF, .anchors = { BRIEF },
      .now = PKI_NOW - 1, .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "leaf, its own anchor: before notAfter", BRIEF, .anchors = { BRIEF },
      .now = SOON - 1, .until = SOON },
    { "leaf, its own anchor: after notAfter", BRIEF, .anchors = { BRIEF },
      .now = SOON + 1, .verdict = NGX_AOP_VERDICT_EXPIRED },

    /* of an intermediate */

    { "intermediate: before notBefore", BRIEF_INTER_LEAF, { BRIEF_INTER },
      .anchors = { ROOT }, .now = PKI_NOW - 1,
      .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "intermediate: at notBefore", BRIEF_INTER_LEAF, { BRIEF_INTER },
      .anchors = { ROOT }, .until = SOON },
    { "intermediate: before notAfter", BRIEF_INTER_LEAF, { BRIEF_INTER },
      .anchors = { ROOT }, .now = SOON - 1, .until = SOON },
    { "intermediate: after notAfter", BRIEF_INTER_LEAF, { BRIEF_INTER },
      .anchors = { ROOT }, .now = SOON + 1,
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "intermediate as anchor: before notBefore", BRIEF_INTER_LEAF,
      .anchors = { BRIEF_INTER }, .now = PKI_NOW - 1,
      .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "intermediate as anchor: before notAfter", BRIEF_INTER_LEAF,
      .anchors = { BRIEF_INTER }, .now = SOON - 1, .until = SOON },
    { "intermediate as anchor: after notAfter", BRIEF_INTER_LEAF,
      .anchors = { BRIEF_INTER }, .now = SOON + 1,
      .verdict = NGX_AOP_VERDICT_EXPIRED },

    /* of a root */

    { "root: before notBefore", BRIEF_ROOT_LEAF, .anchors = { BRIEF_ROOT },
      .now = PKI_NOW - 1, .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "root: at notBefore", BRIEF_ROOT_LEAF, .anchors = { BRIEF_ROOT },
      .until = SOON },
    { "root: before notAfter", BRIEF_ROOT_LEAF, .anchors = { BRIEF_ROOT },
      .now = SOON - 1, .until = SOON },
    { "root: after notAfter", BRIEF_ROOT_LEAF, .anchors = { BRIEF_ROOT },
      .now = SOON + 1, .verdict = NGX_AOP_VERDICT_EXPIRED },

    /* far ahead */

    { "2038: before the end", TO_2038, .anchors = { LONG },
      .now = T_2038 - 1, .until = T_2038 },
    { "2038: after the end", TO_2038, .anchors = { LONG }, .now = T_2038 + 1,
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "2038: before the start", FROM_2038, .anchors = { LONG },
      .now = T_2038 - 1, .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "2038: at the start", FROM_2038, .anchors = { LONG }, .now = T_2038,
      .until = T_2050 },
    { "2049: before the last second", TO_2050, .anchors = { LONG },
      .now = T_2050 - 2, .until = T_2050 - 1 },
    { "2050: after the last UTCTime", TO_2050, .anchors = { LONG },
      .now = T_2050, .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "2050: before the first GeneralizedTime", FROM_2050,
      .anchors = { LONG }, .now = T_2050 - 1,
      .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "2050: at the first GeneralizedTime", FROM_2050, .anchors = { LONG },
      .now = T_2050, .until = T_2106 },
    { "2050: across", TO_2106, .anchors = { LONG }, .until = T_2106 },
    { "2106: before 2^32", TO_2106, .anchors = { LONG }, .now = T_2106 - 1,
      .until = T_2106 },
    { "2106: after 2^32", TO_2106, .anchors = { LONG }, .now = T_2106 + 1,
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "9999: now", FOREVER, .anchors = { LONG }, .until = PKI_END },
    { "9999: before the end", FOREVER, .anchors = { LONG },
      .now = PKI_END - 1, .until = PKI_END },
    { "1970: long before", FOREVER, .anchors = { LONG }, .now = 1,
      .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },

    /* pins */

    { "pin: the certificate", LEAF, .anchors = { ROOT },
      .pin_certs = { LEAF } },
    { "pin: the key", LEAF, .anchors = { ROOT }, .pin_spkis = { LEAF } },
    { "pin: one of several", LEAF, .anchors = { ROOT },
      .pin_certs = { CLIENT, SERVER }, .pin_spkis = { CLIENT, LEAF } },
    { "pin: the key of the renewed leaf", LEAF_RENEWED, .anchors = { ROOT },
      .pin_spkis = { LEAF } },
    { "pin: not the certificate of the renewed leaf", LEAF_RENEWED,
      .anchors = { ROOT }, .pin_certs = { LEAF },
      .verdict = NGX_AOP_VERDICT_PIN },
    { "pin: another certificate", CLIENT, .anchors = { ROOT },
      .pin_certs = { LEAF }, .verdict = NGX_AOP_VERDICT_PIN },
    { "pin: another key", CLIENT, .anchors = { ROOT },
      .pin_spkis = { LEAF }, .verdict = NGX_AOP_VERDICT_PIN },
    { "pin: the CA's is not the leaf's", LEAF, { ROOT },
      .anchors = { ROOT }, .pin_certs = { ROOT }, .pin_spkis = { ROOT },
      .verdict = NGX_AOP_VERDICT_PIN },
    { "pin: an intermediate's is not the leaf's", LEAF_INTER, { INTER },
      .anchors = { ROOT }, .pin_certs = { INTER }, .pin_spkis = { INTER },
      .verdict = NGX_AOP_VERDICT_PIN },
    { "pin: which of two anchors", NAMESAKE_LEAF,
      .anchors = { ROOT, NAMESAKE }, .pin_certs = { LEAF },
      .verdict = NGX_AOP_VERDICT_PIN, .anchor = NAMESAKE },
    { "pin: no substitute for an anchor", OTHER_LEAF, .anchors = { ROOT },
      .pin_certs = { OTHER_LEAF }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "pin: no substitute for dates", BRIEF, .anchors = { ROOT },
      .pin_certs = { BRIEF }, .now = SOON + 1,
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "pin: the chain comes first", BRIEF, .anchors = { ROOT },
      .pin_certs = { LEAF }, .now = SOON + 1,
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "pin: revocation comes first", LEAF, .anchors = { ROOT },
      .crls = { CRL_LEAF }, .pin_certs = { CLIENT },
      .verdict = NGX_AOP_VERDICT_REVOKED },
    { "pin: of the leaf as its own anchor", LEAF, .anchors = { LEAF },
      .pin_certs = { LEAF } },

    /* CRLs */

    { "CRL: not on it", LEAF, .anchors = { ROOT }, .crls = { CRL_ROOT } },
    { "CRL: with a key id", LEAF, .anchors = { ROOT },
      .crls = { CRL_ROOT_KEYID } },
    { "CRL: the leaf", LEAF, .anchors = { ROOT }, .crls = { CRL_LEAF },
      .verdict = NGX_AOP_VERDICT_REVOKED },
    { "CRL: the leaf among others", LEAF, .anchors = { ROOT },
      .crls = { CRL_MANY }, .verdict = NGX_AOP_VERDICT_REVOKED },
    { "CRL: others only", BOTH, .anchors = { ROOT }, .crls = { CRL_MANY } },
    { "CRL: through an intermediate", LEAF_INTER, { INTER },
      .anchors = { ROOT }, .crls = { CRL_ROOT, CRL_INTER } },
    { "CRL: the leaf below an intermediate", LEAF_INTER, { INTER },
      .anchors = { ROOT }, .crls = { CRL_ROOT, CRL_LEAF_INTER },
      .verdict = NGX_AOP_VERDICT_REVOKED },
    { "CRL: the intermediate", LEAF_INTER, { INTER }, .anchors = { ROOT },
      .crls = { CRL_INTER_REVOKED, CRL_INTER },
      .verdict = NGX_AOP_VERDICT_REVOKED },
    { "CRL: the root itself says nothing", LEAF, .anchors = { ROOT },
      .crls = { CRL_ROOT } },
    { "CRL: none of the root's", LEAF_INTER, { INTER }, .anchors = { ROOT },
      .crls = { CRL_INTER }, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: none of the intermediate's", LEAF_INTER, { INTER },
      .anchors = { ROOT }, .crls = { CRL_ROOT },
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: another issuer's only", LEAF, .anchors = { ROOT },
      .crls = { CRL_OTHER }, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: a namesake's only", LEAF, .anchors = { ROOT },
      .crls = { CRL_NAMESAKE }, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: another issuer's too", LEAF, .anchors = { ROOT },
      .crls = { CRL_OTHER, CRL_ROOT, CRL_INTER } },
    { "CRL: forged", LEAF, .anchors = { ROOT }, .crls = { CRL_FORGED },
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: critical extension", LEAF, .anchors = { ROOT },
      .crls = { CRL_CRITICAL }, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: of a CA that may not sign any", NO_CRL_SIGN_LEAF,
      .anchors = { NO_CRL_SIGN }, .crls = { CRL_NO_SIGN },
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: trust comes first", OTHER_LEAF, .anchors = { ROOT },
      .crls = { CRL_ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },

    /* dates of CRLs */

    { "CRL: before thisUpdate", LEAF, .anchors = { ROOT },
      .crls = { CRL_BRIEF }, .now = PKI_NOW - 1,
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: at thisUpdate", LEAF, .anchors = { ROOT },
      .crls = { CRL_BRIEF }, .until = SOON },
    { "CRL: before nextUpdate", LEAF, .anchors = { ROOT },
      .crls = { CRL_BRIEF }, .now = SOON - 1, .until = SOON },
    { "CRL: after nextUpdate", LEAF, .anchors = { ROOT },
      .crls = { CRL_BRIEF }, .now = SOON + 1, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: without nextUpdate", LEAF, .anchors = { ROOT },
      .crls = { CRL_NEVER } },
    { "CRL: expired long ago", LEAF, .anchors = { ROOT },
      .crls = { CRL_OLD }, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: not yet valid", LEAF, .anchors = { ROOT },
      .crls = { CRL_FUTURE }, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: the earlier nextUpdate of two issuers", LEAF_INTER, { INTER },
      .anchors = { ROOT }, .crls = { CRL_BRIEF, CRL_BRIEF_INTER },
      .until = SOONER },
    { "CRL: nextUpdate of an intermediate passed", LEAF_INTER, { INTER },
      .anchors = { ROOT }, .crls = { CRL_ROOT, CRL_BRIEF_INTER },
      .now = SOONER + 1, .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: nextUpdate of another issuer", LEAF, .anchors = { ROOT },
      .crls = { CRL_ROOT, CRL_BRIEF_INTER } },
    { "CRL: notAfter is before nextUpdate", BRIEF, .anchors = { ROOT },
      .crls = { CRL_ROOT }, .until = SOON },

    /* two CRLs of one issuer */

    { "CRL: an old one and a new one", LEAF, .anchors = { ROOT },
      .crls = { CRL_OLD, CRL_ROOT } },
    { "CRL: a new one and an old one", LEAF, .anchors = { ROOT },
      .crls = { CRL_ROOT, CRL_OLD } },
    { "CRL: one for later and one for now", LEAF, .anchors = { ROOT },
      .crls = { CRL_FUTURE, CRL_ROOT } },
    { "CRL: the newer one has the leaf", LEAF, .anchors = { ROOT },
      .crls = { CRL_ROOT, CRL_NEWER }, .verdict = NGX_AOP_VERDICT_REVOKED },
    { "CRL: the older one had the leaf", LEAF, .anchors = { ROOT },
      .crls = { CRL_LEAF, CRL_NEWER_CLEARED } },
    { "CRL: a forged one beside a good one that is newer", LEAF,
      .anchors = { ROOT }, .crls = { CRL_FORGED, CRL_NEWER_CLEARED } },
    { "CRL: those of two CAs of one name", LEAF,
      .anchors = { ROOT, NAMESAKE }, .crls = { CRL_ROOT_KEYID, CRL_NAMESAKE },
      .anchor = ROOT },

    /* the anchor is not checked, what is below it is */

    { "CRL: an intermediate as anchor", LEAF_INTER, .anchors = { INTER },
      .crls = { CRL_INTER } },
    { "CRL: the leaf below an intermediate as anchor", LEAF_INTER,
      .anchors = { INTER }, .crls = { CRL_LEAF_INTER },
      .verdict = NGX_AOP_VERDICT_REVOKED },
    { "CRL: none of the intermediate as anchor", LEAF_INTER,
      .anchors = { INTER }, .crls = { CRL_OTHER },
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: only that of the anchor's issuer", LEAF_INTER,
      .anchors = { INTER }, .crls = { CRL_ROOT },
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: two intermediates, the upper as anchor", LEAF_DEEP, { DEEP },
      .anchors = { INTER }, .crls = { CRL_INTER },
      .verdict = NGX_AOP_VERDICT_CRL },
    { "CRL: the leaf as its own anchor", LEAF, .anchors = { LEAF },
      .crls = { CRL_OTHER } }
};


static void
verify_write_names(char *text, const char *field, const char *name)
{
    int  i;

    strcpy(text, field);

    for (i = 0; i < VERIFY_NAMES; i++) {
        strcat(text, i ? "," : "=");
        strcat(text, name);
    }
}


static int
verify_setup(void **state)
{
    verify_write_names(verify_constraints, "nameConstraints",
                       "permitted;DNS:a");
    verify_write_names(verify_names, "subjectAltName", "DNS:a");

    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    return 0;
}


static int
verify_teardown(void **state)
{
    pki_free();

    return 0;
}


static void
verify_add_pins(ngx_aop_policy_t *policy, const pki_index_t *index,
    unsigned spki)
{
    size_t         i;
    ngx_aop_pin_t  pin;

    for (i = 0; i < PKI_FEW && index[i]; i++) {

        memset(&pin, 0, sizeof(pin));
        pin.spki = spki;

        if (spki) {
            assert_int_equal(ngx_aop_cert_spki(pki.cert[index[i]],
                                               pin.digest),
                             1);

        } else {
            assert_int_equal(ngx_aop_cert_digest(pki.cert[index[i]],
                                                 pin.digest),
                             1);
        }

        assert_int_equal(ngx_aop_policy_add_pin(policy, &pin), 1);
    }
}


static ngx_aop_policy_t *
verify_policy(const verify_case_t *c)
{
    size_t             i;
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(1 + c->deeper);
    assert_non_null(policy);

    policy->auth_level = c->level;

    for (i = 0; i < PKI_FEW && c->anchors[i]; i++) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy,
                                                   pki.cert[c->anchors[i]],
                                                   NULL),
                         1);
    }

    for (i = 0; i < PKI_FEW && c->crls[i]; i++) {
        assert_int_equal(ngx_aop_policy_add_crl(policy,
                                                pki.crl[c->crls[i]]),
                         1);
    }

    verify_add_pins(policy, c->pin_certs, 0);
    verify_add_pins(policy, c->pin_spkis, 1);

    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    return policy;
}


/* NULL if nothing was sent with the leaf; borrows the certificates. */

static STACK_OF(X509) *
verify_chain(const verify_case_t *c)
{
    size_t           i;
    STACK_OF(X509)  *chain;

    if (c->chain[0] == 0) {
        return NULL;
    }

    chain = sk_X509_new_null();
    assert_non_null(chain);

    for (i = 0; i < PKI_FEW && c->chain[i]; i++) {
        assert_true(sk_X509_push(chain, pki.cert[c->chain[i]]) > 0);
    }

    return chain;
}


static void
verify_judge(const verify_case_t *c, const ngx_aop_policy_t *policy,
    time_t now, ngx_aop_result_t *result)
{
    ngx_aop_leaf_t   leaf;
    STACK_OF(X509)  *chain;

    chain = verify_chain(c);

    memset(result, 0xa5, sizeof(ngx_aop_result_t));

    ngx_aop_cert_leaf(&leaf, pki.cert[c->leaf]);
    ngx_aop_verify(policy, &leaf, chain, now, result);

    sk_X509_free(chain);
}


static int64_t
verify_now(const verify_case_t *c)
{
    return c->now ? c->now : PKI_NOW;
}


/* A clock of 32 bits does not come so far, nor does a verdict of its. */

static int
verify_beyond(const verify_case_t *c)
{
    return verify_now(c) != ngx_aop_time_fit(verify_now(c))
           || c->until != ngx_aop_time_fit(c->until);
}


static void
verify_verdict(const ngx_aop_result_t *result, ngx_aop_verdict_e verdict)
{
    if (result->verdict != verdict) {
        fail_msg("\"%s\" (%s), not \"%s\"",
                 ngx_aop_verdict(result->verdict)->word, result->reason,
                 ngx_aop_verdict(verdict)->word);
    }
}


static void
verify_anchor(const verify_case_t *c, const ngx_aop_policy_t *policy,
    const ngx_aop_result_t *result)
{
    pki_index_t  anchor;

    if (c->verdict != NGX_AOP_VERDICT_OK && c->verdict != NGX_AOP_VERDICT_PIN) {
        assert_null(result->anchor);
        return;
    }

    anchor = c->anchor ? c->anchor : c->anchors[0];

    /* one of the policy's own */

    assert_true(result->anchor >= policy->anchors
                && result->anchor < policy->anchors + policy->nanchors);
    assert_int_equal(X509_cmp(result->anchor->x509, pki.cert[anchor]), 0);
}


static void
verify_leaf(const verify_case_t *c, const ngx_aop_result_t *result)
{
    int             len;
    unsigned char  *der, digest[NGX_AOP_DIGEST];

    der = NULL;

    len = i2d_X509(pki.cert[c->leaf], &der);
    assert_true(len > 0);

    EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL);
    assert_memory_equal(result->leaf, digest, NGX_AOP_DIGEST);

    OPENSSL_free(der);
}


static void
verify_result(const verify_case_t *c, const ngx_aop_policy_t *policy,
    const ngx_aop_result_t *result)
{
    time_t  until;

    verify_verdict(result, c->verdict);
    verify_anchor(c, policy, result);
    verify_leaf(c, result);
    assert_non_null(result->reason);

    if (c->verdict == NGX_AOP_VERDICT_OK) {
        /* the second of a date itself is past it */

        until = (c->until ? c->until : PKI_TO) - 1;

        assert_string_equal(result->reason, "");
        assert_int_equal(result->error, X509_V_OK);
        assert_true(result->valid_until == until);

    } else {
        assert_int_not_equal(result->error, X509_V_OK);
        assert_string_equal(result->reason,
                            c->verdict == NGX_AOP_VERDICT_PIN
                            ? ngx_aop_verdict(NGX_AOP_VERDICT_PIN)->meaning
                            : X509_verify_cert_error_string(result->error));
        assert_true(result->valid_until == 0);
    }
}


/*
 * ok is ok up to valid_until, and no longer; but for the second that comes
 * next, the date itself, which belongs to the certificate from OpenSSL 4 on.
 */

static void
verify_until(const verify_case_t *c, const ngx_aop_policy_t *policy,
    int64_t until)
{
    ngx_aop_result_t  result;

    verify_judge(c, policy, until, &result);

    verify_verdict(&result, NGX_AOP_VERDICT_OK);
    assert_true(result.valid_until == until);

    verify_judge(c, policy, until + 1, &result);

    assert_true(result.verdict != NGX_AOP_VERDICT_OK
                || result.valid_until == until);

    if (until == PKI_END - 1) {
        return;         /* RFC 5280, 4.1.2.5: no end */
    }

    verify_judge(c, policy, until + 2, &result);

    assert_int_not_equal(result.verdict, NGX_AOP_VERDICT_OK);
}


/* A stray error would break the next read of the connection. */

static void
verify_error_queue(const verify_case_t *c, const ngx_aop_policy_t *policy)
{
    ngx_aop_result_t  result;

    assert_int_equal(ERR_peek_error(), 0);

    ERR_put_error(ERR_LIB_USER, 0, 100, __FILE__, __LINE__);
    ERR_put_error(ERR_LIB_USER, 0, 101, __FILE__, __LINE__);

    verify_judge(c, policy, verify_now(c), &result);

    verify_result(c, policy, &result);

    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 100);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 101);
    assert_int_equal(ERR_get_error(), 0);
}


static void
verify_case(void **state)
{
    ngx_aop_result_t      result;
    ngx_aop_policy_t     *policy;
    const verify_case_t  *c = *state;

    ERR_clear_error();

    policy = verify_policy(c);

    verify_judge(c, policy, verify_now(c), &result);

    verify_result(c, policy, &result);
    verify_error_queue(c, policy);

    if (c->verdict == NGX_AOP_VERDICT_OK) {
        verify_until(c, policy, result.valid_until);
    }

    ngx_aop_policy_free(policy);
}


/* An answer leaves no trace: other questions between do not change it. */

static void
verify_mixed(void **state)
{
    size_t             i, n, round;
    ngx_aop_result_t   result;
    ngx_aop_policy_t  *policy[unit_nelts(cases)];

    for (i = 0; i < unit_nelts(cases); i++) {
        policy[i] = verify_policy(&cases[i]);
    }

    for (round = 0; round < 3; round++) {
        for (i = 0; i < unit_nelts(cases); i++) {
            n = (i * 89 + round * 7) % unit_nelts(cases);

            if (verify_beyond(&cases[n])) {
                continue;
            }

            verify_judge(&cases[n], policy[n], verify_now(&cases[n]),
                         &result);
            verify_verdict(&result, cases[n].verdict);
        }
    }

    for (i = 0; i < unit_nelts(cases); i++) {
        ngx_aop_policy_free(policy[i]);
    }
}


/* It is the certificate's fault, not that of this machine. */

static void
verify_many_names(void **state)
{
    ngx_aop_leaf_t     leaf;
    ngx_aop_result_t   result;
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);
    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[NAMED], NULL),
                     1);
    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    ngx_aop_cert_leaf(&leaf, pki.cert[NAMED_LEAF]);
    ngx_aop_verify(policy, &leaf, NULL, PKI_NOW, &result);
    verify_verdict(&result, NGX_AOP_VERDICT_INVALID);

    ngx_aop_policy_free(policy);
}


/* No chain and an empty one are the same. */

static void
verify_empty_chain(void **state)
{
    ngx_aop_leaf_t     leaf;
    STACK_OF(X509)    *chain;
    ngx_aop_result_t   result;
    ngx_aop_policy_t  *policy;

    chain = sk_X509_new_null();
    assert_non_null(chain);

    policy = verify_policy(&cases[0]);

    ngx_aop_cert_leaf(&leaf, pki.cert[LEAF]);
    ngx_aop_verify(policy, &leaf, chain, PKI_NOW, &result);
    verify_verdict(&result, NGX_AOP_VERDICT_OK);

    ngx_aop_policy_free(policy);
    sk_X509_free(chain);
}


/* What was presented is borrowed: tools see a reference too many or few. */

static void
verify_borrows(void **state)
{
    X509              *x509, *inter;
    ngx_aop_leaf_t     leaf;
    STACK_OF(X509)    *chain;
    ngx_aop_result_t   result;
    ngx_aop_policy_t  *policy;

    static const verify_case_t  c = { "", LEAF_INTER, .anchors = { ROOT } };

    x509 = X509_dup(pki.cert[LEAF_INTER]);
    inter = X509_dup(pki.cert[INTER]);
    chain = sk_X509_new_null();

    assert_non_null(x509);
    assert_non_null(inter);
    assert_true(sk_X509_push(chain, inter) > 0);

    policy = verify_policy(&c);

    ngx_aop_cert_leaf(&leaf, x509);
    ngx_aop_verify(policy, &leaf, chain, PKI_NOW, &result);

    assert_int_equal(sk_X509_num(chain), 1);
    assert_ptr_equal(sk_X509_value(chain, 0), inter);

    sk_X509_pop_free(chain, X509_free);
    X509_free(x509);

    /* the anchor is the policy's */

    verify_verdict(&result, NGX_AOP_VERDICT_OK);
    assert_int_equal(X509_cmp(result.anchor->x509, pki.cert[ROOT]), 0);

    ngx_aop_policy_free(policy);
}


static void
verify_tampered(void **state)
{
    X509                 *x509;
    unsigned char        *der;
    int                   i, len;
    const unsigned char  *p;
    ngx_aop_leaf_t        leaf;
    ngx_aop_result_t      result;
    ngx_aop_policy_t     *policy;

    der = NULL;
    policy = verify_policy(&cases[0]);

    len = i2d_X509(pki.cert[LEAF], &der);
    assert_true(len > 0);

    /*
     * whatever can still be parsed with one bit changed does not pass, and is
     * not our fault
     */

    for (i = 0; i < len * 8; i++) {
        der[i / 8] ^= (unsigned char) (1 << (i % 8));

        p = der;
        x509 = d2i_X509(NULL, &p, len);

        if (x509 != NULL) {
            ngx_aop_cert_leaf(&leaf, x509);
            ngx_aop_verify(policy, &leaf, NULL, PKI_NOW, &result);

            if (result.verdict == NGX_AOP_VERDICT_OK) {
                fail_msg("bit %d of the certificate does not matter", i);
            }

            if (result.verdict == NGX_AOP_VERDICT_ERROR) {
                fail_msg("bit %d of the certificate leaves it unjudged", i);
            }
        }

        X509_free(x509);
        der[i / 8] ^= (unsigned char) (1 << (i % 8));
    }

    ERR_clear_error();
    OPENSSL_free(der);
    ngx_aop_policy_free(policy);
}


/* Nor may it take another digest for the certificate's, or leave a trace. */

static void
verify_memory_leaf(const verify_case_t *c, const ngx_aop_policy_t *policy,
    oom_e mode, ngx_aop_leaf_t *leaf)
{
    size_t            n, failed;
    ngx_aop_result_t  result;

    for (n = 0, failed = 1; failed; n++) {

        oom_arm(mode, n);
        ngx_aop_cert_leaf(leaf, pki.cert[c->leaf]);
        failed = oom_disarm();

        assert_int_equal(ERR_peek_error(), 0);

        ngx_aop_verify(policy, leaf, NULL, verify_now(c), &result);

        if (leaf->digested) {
            verify_leaf(c, &result);

        } else {
            verify_verdict(&result, NGX_AOP_VERDICT_ERROR);
        }
    }

    assert_int_equal(leaf->digested, 1);
}


/*
 * Without memory OpenSSL may call a good certificate bad.  It must not call a
 * bad one good, nor leave a trace.
 */

static void
verify_memory_at(const verify_case_t *c, const ngx_aop_policy_t *policy,
    oom_e mode)
{
    size_t             n, failed;
    ngx_aop_leaf_t     leaf;
    STACK_OF(X509)    *chain;
    ngx_aop_result_t   result;

    verify_memory_leaf(c, policy, mode, &leaf);

    chain = verify_chain(c);

    for (n = 0, failed = 1; failed; n++) {

        oom_arm(mode, n);
        ngx_aop_verify(policy, &leaf, chain, verify_now(c), &result);
        failed = oom_disarm();

        assert_int_equal(ERR_peek_error(), 0);
        assert_non_null(result.reason);

        if (result.verdict == NGX_AOP_VERDICT_OK) {
            verify_result(c, policy, &result);
        }

        /* the first is for what OpenSSL verifies in */

        if (n == 0) {
            verify_verdict(&result, NGX_AOP_VERDICT_ERROR);
        }
    }

    verify_result(c, policy, &result);

    sk_X509_free(chain);
}


static void
verify_memory(void **state)
{
    size_t             i;
    const oom_e       *mode = *state;
    ngx_aop_policy_t  *policy;

    ERR_clear_error();

    for (i = 0; i < unit_nelts(cases); i++) {

        if (verify_beyond(&cases[i])) {
            continue;
        }

        /* an older CRL serves if there is no memory to find the newer one */

        if (cases[i].crls[1] && cases[i].verdict == NGX_AOP_VERDICT_REVOKED) {
            continue;
        }

        policy = verify_policy(&cases[i]);
        verify_memory_at(&cases[i], policy, *mode);
        ngx_aop_policy_free(policy);
    }
}


/* What prove counts as failed is also what cmocka says of a skipped test. */

static void
verify_cases(void)
{
    size_t  i;

    for (i = 0; i < unit_nelts(cases); i++) {

        if (verify_beyond(&cases[i])) {
            printf("# not tried, time_t has 32 bits: %s\n", cases[i].name);
            continue;
        }

        unit_case(cases[i].name, verify_case, &cases[i]);
    }
}


int
main(void)
{
    static const oom_e  once = OOM_ONCE, from = OOM_FROM;

    oom_init();

    verify_cases();
    unit_case("all of these mixed", verify_mixed, NULL);
    unit_case("too many names", verify_many_names, NULL);
    unit_case("an empty chain", verify_empty_chain, NULL);
    unit_case("what is presented is borrowed", verify_borrows, NULL);
    unit_case("one bit changed", verify_tampered, NULL);
    unit_slow("an allocation fails", verify_memory, &once);
    unit_slow("memory runs out", verify_memory, &from);

    return unit_run("verify", verify_setup, verify_teardown);
}
