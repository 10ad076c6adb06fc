
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "Is it safe to enforce?" in every situation that an administrator may be in,
 * each with its word, its cause, and how long it takes until it is over.
 */


#include "rollout.h"


#define YES    NGX_AOP_READY_YES
#define NO     NGX_AOP_READY_NO
#define MAYBE  NGX_AOP_READY_UNKNOWN

#define A      "a.example"
#define B      "b.example"

/* a busy site, a health check */

#define busy(from, to)                                                        \
    { from, to, 5, NGX_AOP_VERDICT_OK, EDGE, A, 0 }
#define edge(from, to, every, verdict, host, flags)                           \
    { from, to, every, NGX_AOP_VERDICT_##verdict, EDGE, host, flags }
#define health(from, to, every, verdict)                                      \
    { from, to, every, NGX_AOP_VERDICT_##verdict, "10.0.0.9", "", 0 }
#define peer(from, to, every, verdict, addr, flags)                           \
    { from, to, every, NGX_AOP_VERDICT_##verdict, addr, A, flags }
#define policy(at)  { at, 0, 0, 0, NULL, NULL, POLICY }
#define clock(at, by)  { at, 0, by, 0, NULL, NULL, CLOCK }

#define DOCKER  "172.17.0.1"


static const rollout_t  cases[] = {

    /* the order of the reasons, and their words */

    { "no requests", { { 0, 0, 0, 0, NULL, NULL, 0 } }, {
      { 3 * HOUR, MAYBE, "not enough traffic: 0 of 100 requests from "
        "Cloudflare in 3 h", NULL } }, 0, NULL, NULL, 0, 0 },

    { "all passed", { busy(0, DAY) }, {
      { 8 * MIN, MAYBE, "not enough traffic: 97 of 100 requests from "
        "Cloudflare in 8 min (they must come within 24 h); watched for 8 min "
        "of 1 h", NULL },
      { 30 * MIN, MAYBE, "watched for 30 min of 1 h", "traffic" },
      { HOUR - 1, MAYBE, "watched for", NULL },
      { HOUR, YES, "721 requests from Cloudflare passed in 1 h, none failed; "
        "enforcing would reject 0 requests from other addresses", NULL },
      { DAY, YES, " in 23 h", NULL } }, 0, NULL, NULL, 0, 0 },

    { "aop_ready has other numbers", { busy(0, HOUR) }, {
      { 9 * MIN, MAYBE, "watched for 9 min of 10 min", NULL },
      { 10 * MIN, MAYBE, "not enough traffic: 121 of 200", "watched" },
      { 17 * MIN, YES, "205 requests from Cloudflare passed in 17 min", NULL }
      }, 0, NULL, NULL, 200, 10 * MIN },

    { "a site that has 100 requests in two days",
      { edge(0, 4 * DAY, 1728, OK, A, 0) }, {
      { 2 * DAY, MAYBE, "of 100 requests from Cloudflare in 23 h (they must "
        "come within 24 h)", NULL } }, 0, NULL, NULL, 0, 0 },

    { "no full handshake", { edge(0, DAY, 5, OK, A, RESUMED) }, {
      { 2 * HOUR, MAYBE, "no full handshake from Cloudflare yet", "traffic" }
      }, 0, NULL, NULL, 0, 0 },

    { "no anchor is in its dates", { busy(0, DAY) }, {
      { 2 * HOUR, NO, "out of date: CN=Old CA expired", NULL } },
      0, "CN=Old CA expired on 2029-12-31T00:00:00Z", NULL, 0, 0 },

    { "an expired anchor beside a good one", { busy(0, DAY) }, {
      { 2 * HOUR, YES, "; warning: CN=Old CA expired", NULL } },
      0, NULL, "CN=Old CA expired on 2029-12-31T00:00:00Z", 0, 0 },

    { "the causes in their order", {
      edge(0, 10, 5, NONE, A, 0), { 0, 10, 5, NGX_AOP_VERDICT_OK, DIRECT, A,
      0 }, edge(0, 10, 5, OK, A, VARIABLE), busy(11, 3 * HOUR) }, {
      { 10, NO, "3 of 3 requests from Cloudflare failed (100%): none 3; "
        "hosts: a.example; last at 2030-01-01T00:00:10Z; settled at "
        "2030-01-02T00:00:10Z if no more fail, or sooner, after 1 h without a "
        "failure, once 100 more requests for each of these hosts passed",
        "aop_edge" },
      { 2 * HOUR, MAYBE, "3 requests with a verified certificate came from "
        "addresses that are not Cloudflare's in 2 h: the list in "
        "\"aop_edge\" is out of date, or a proxy is in front", "failed" } },
      0, NULL, NULL, 0, 0 },

    /* what was seen: yes, wrongly */

    { "the second that nginx starts, after 100 requests",
      { edge(0, 1, 1, OK, A, 0), edge(0, 1, 1, OK, A, 0) }, {
      { 1, MAYBE, "watched for", NULL } }, 0, NULL, NULL, 2, 0 },

    { "a share of one time only: what passed before an edit is forgotten",
      { edge(0, HOUR, 10, OK, A, 0), edge(0, HOUR, 60, NONE, A, 0),
        policy(HOUR + 10), edge(HOUR + 20, HOUR + 60, 10, OK, A, 0) }, {
      { HOUR, NO, "61 of 422 requests from Cloudflare failed (14.45%): none 61",
        NULL },
      { HOUR + 61, NO, "61 requests from Cloudflare failed: none 61", "%" } },
      0, NULL, NULL, 0, 0 },

    { "an edit of aop_ca does not heal a health check",
      { busy(0, DAY), health(0, 50 * MIN, 10, NONE), policy(HOUR) }, {
      { HOUR + 1, NO, "requests from private addresses failed: none 301; "
        "addresses: 10.0.0.9", "Cloudflare failed" },
      { 2 * HOUR, NO, "private", NULL } }, 0, NULL, NULL, 0, 0 },

    { "5% on; * off", {
      edge(0, DAY, 20, OK, A, 0), edge(0, DAY, 1, OK, A, VARIABLE) }, {
      { 2 * HOUR, MAYBE, "7201 of 7562 requests from Cloudflare and private "
        "addresses in 24 h were not verified: the mode variable was \"off\" "
        "for 7201", NULL } }, NGX_AOP_STATE_PARTLY, NULL, NULL, 0, 0 },

    { "only a location asks", {
      edge(0, DAY, 5, OK, A, 0), edge(2, DAY, 7, OK, A, LOCATION) }, {
      { 2 * HOUR, MAYBE, "were not verified: 1029 were for locations with "
        "\"aop off\"", NULL } }, NGX_AOP_STATE_PARTLY, NULL, NULL, 0, 0 },

    { "a canary that is quiet is still one", {
      busy(0, DAY), edge(0, HOUR, 60, OK, B, VARIABLE) }, {
      { 5 * HOUR, MAYBE, "was \"off\" for 61", NULL } },
      NGX_AOP_STATE_PARTLY, NULL, NULL, 0, 0 },

    { "plain HTTP fails under any policy", {
      busy(0, DAY), edge(0, 10 * MIN, 60, PLAINTEXT, B, 0), policy(HOUR) }, {
      { 3 * HOUR, NO, "plaintext 11", NULL } }, 0, NULL, NULL, 0, 0 },

    { "a canary that ends is shown for an hour", {
      edge(0, DAY, 20, OK, A, 0), edge(0, HOUR, 1, OK, A, VARIABLE) }, {
      { 2 * HOUR - 60, MAYBE, "not verified", NULL },
      { 2 * HOUR, YES, "passed in 2 h", NULL } }, 0, NULL, NULL, 0, 0 },

    { "what a canary hides of a private address may come daily", {
      busy(0, 2 * DAY), peer(HOUR, HOUR, 0, OK, "10.0.0.3", VARIABLE) }, {
      { 24 * HOUR, MAYBE, "not verified", NULL },
      { 25 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "a health check without Host", {
      busy(0, DAY), health(0, DAY, 10, NONE) }, {
      { 3 * HOUR, NO, "1081 requests from private addresses failed: none "
        "1081; addresses: 10.0.0.9; last at", "CF-Ray" } },
      0, NULL, NULL, 0, 0 },

    { "a foreign Host of a private address decides", {
      busy(0, DAY), peer(0, DAY, 10, NONE, "10.0.0.9", OTHER_HOST) }, {
      { 3 * HOUR, NO, "addresses: 10.0.0.9", NULL } }, 0, NULL, NULL, 0, 0 },

    { "a forgotten www", {
      busy(0, DAY), edge(0, DAY, 90, NONE, "www.a.example", OTHER_HOST) }, {
      { 2 * HOUR, YES, "; failed from Cloudflare for hosts that are not names "
        "of this server: www.a.example (81)", NULL } }, 0, NULL, NULL, 0, 0 },

    /* what never ended */

    { "Docker's proxy", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(0, DAY, 75, NONE, DOCKER, STRANGER) }, {
      { HOUR, YES, "; the addresses of clients are lost behind 172.17.0.1 (use "
        "the PROXY protocol or the host network): requests with CF-Ray count "
        "as Cloudflare's, enforcing would reject 49 without", "aop off" } },
      0, NULL, NULL, 0, 0 },

    { "Docker's proxy, and strangers come first", {
      peer(MIN, DAY, 5, OK, DOCKER, RAY),
      peer(0, DAY, 75, NONE, DOCKER, STRANGER) }, {
      { 30, NO, "private", NULL },
      { 2 * HOUR, YES, "would reject 97 without", NULL } },
      0, NULL, NULL, 0, 0 },

    { "Docker's proxy in aop_edge", {
      peer(MIN, DAY, 5, OK, DOCKER, RAY|LISTED),
      peer(0, DAY, 75, NONE, DOCKER, STRANGER|LISTED) }, {
      { 30, NO, "from Cloudflare failed", NULL },
      { 30 * MIN, MAYBE, "watched", NULL },
      { 2 * HOUR, YES, "would reject 95 without", NULL } },
      0, NULL, NULL, 0, 0 },

    { "a private address that failed, and is in aop_edge since", {
      busy(0, 3 * DAY), health(MIN, MIN, 0, NONE),
      peer(HOUR, 3 * DAY, 10 * MIN, NONE, "10.0.0.9", LISTED) }, {
      { 30 * MIN, NO, "request from private addresses failed", "hosts:" },
      { 2 * DAY, NO, "requests from Cloudflare failed", "private addresses" }
      }, 0, NULL, NULL, 0, 0 },

    { "Docker's proxy, AOP not yet on", {
      peer(0, DAY, 5, NONE, DOCKER, RAY) }, {
      { HOUR, NO, "requests from there carry CF-Ray, so this address may hide "
        "those of all clients", "aop off" } }, 0, NULL, NULL, 0, 0 },

    { "Docker's proxy, AOP switched on", {
      peer(0, HOUR, 5, NONE, DOCKER, RAY),
      peer(HOUR, DAY, 5, OK, DOCKER, RAY) }, {
      { HOUR + 5, NO, "may hide those of all clients", NULL },
      { HOUR + 50, NO, "from Cloudflare failed", "private addresses failed" },
      { 2 * HOUR - 1, NO, "hosts: a.example", NULL },
      { 2 * HOUR, YES, "failures before are settled", NULL } },
      0, NULL, NULL, 0, 0 },

    { "a relay that checks its backend's health", {
      peer(0, 2 * DAY, 5, OK, DOCKER, RAY),
      peer(0, DAY, 30, NONE, DOCKER, 0),
      peer(0, 2 * DAY, 75, NONE, DOCKER, STRANGER) }, {
      { 2 * HOUR, MAYBE, " from 172.17.0.1 for host \"a.example\" that are "
        "alike failed, without CF-Ray: a health check by this address, which "
        "enforcing would reject, or a client behind it", "aop off" },
      { DAY, MAYBE, "; the addresses of clients are lost behind", NULL },
      { DAY + HOUR - 1, MAYBE, "alike", NULL },
      { DAY + HOUR, YES, NULL, "alike" } }, 0, NULL, NULL, 0, 0 },

    { "a relay's health check, rare beside many strangers", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(0, DAY, 300, NONE, DOCKER, 0),
      peer(0, DAY, 2, NONE, DOCKER, STRANGER) }, {
      { 2 * HOUR, MAYBE, NULL, NULL },
      { DAY, MAYBE, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "so many strangers behind a relay that nobody can tell", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(0, 2 * HOUR, 1, NONE, DOCKER, STRANGER) }, {
      { 2 * HOUR, MAYBE, "too many requests without CF-Ray failed", NULL },
      { 2 * HOUR + 1200, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "one burst of a stranger behind a relay", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(2 * HOUR, 2 * HOUR + 300, 1, NONE, DOCKER, RARE) }, {
      { 2 * HOUR + 400, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "an administrator's certificate and CF-Ray make no relay", {
      busy(0, DAY), health(0, DAY, 10, NONE),
      peer(MIN, MIN, 0, OK, "10.0.0.9", RAY) }, {
      { 2 * HOUR, NO, "addresses: 10.0.0.9", NULL } }, 0, NULL, NULL, 0, 0 },

    { "a health check's address becomes a relay", {
      busy(0, DAY), health(0, DAY, 10, NONE),
      peer(2 * HOUR, DAY, 5, OK, "10.0.0.9", RAY) }, {
      { 2 * HOUR + 44, NO, "addresses: 10.0.0.9", NULL },
      { 2 * HOUR + 50, MAYBE, "requests without CF-Ray from 10.0.0.9 failed "
        "before it was known to hide the addresses of clients: its own health "
        "check may be among them (it shows until 2030-01-01T03:00:40Z)", NULL },
      { 3 * HOUR + MIN, MAYBE, "alike failed", NULL } },
      0, NULL, NULL, 0, 0 },

    { "a relay that is none any more", {
      busy(0, 4 * DAY), peer(0, HOUR, 5, OK, "10.0.0.9", RAY),
      peer(HOUR, 4 * DAY, 2 * HOUR, NONE, "10.0.0.9", RARE) }, {
      { 24 * HOUR, YES, NULL, NULL },
      { 25 * HOUR, NO, "addresses: 10.0.0.9", "lost behind" },
      { 3 * DAY, NO, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "a relay that is none any more, and its health check", {
      busy(0, 3 * DAY), peer(0, HOUR, 5, OK, "10.0.0.9", RAY),
      peer(5 * MIN, 3 * DAY, 10 * MIN, NONE, "10.0.0.9", 0) }, {
      { 24 * HOUR, MAYBE, "alike", NULL },
      { 25 * HOUR + 4 * MIN, MAYBE, "alike", NULL },
      { 25 * HOUR + 5 * MIN, NO, "addresses: 10.0.0.9", NULL } },
      0, NULL, NULL, 0, 0 },

    { "a relay's health check each 15 minutes", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(0, DAY, 900, NONE, DOCKER, 0) }, {
      { HOUR, MAYBE, "at least 5 requests from 172.17.0.1 ", NULL },
      { DAY, MAYBE, "alike", NULL } }, 0, NULL, NULL, 0, 0 },

    { "visitors behind a relay keep no time", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(0, DAY, 950, NONE, DOCKER, RARE),
      peer(300, DAY, 1900, NONE, DOCKER, RARE) }, {
      { 4 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "an address sends a health check, and a backup each night", {
      busy(0, 3 * DAY), { 0, 5 * HOUR, 10, NGX_AOP_VERDICT_NONE, "10.0.0.9",
      "",
      REQUEST(7) }, { HOUR, 3 * DAY, DAY, NGX_AOP_VERDICT_NONE, "10.0.0.9", "",
      REQUEST(8) } }, {
      { 7 * HOUR, NO, "settled at 2030-01-02T01:00:00Z", NULL },
      { 3 * DAY, NO, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "an address that sends more kinds than are told apart", {
      busy(0, 2 * DAY),
      { 0, 0, 0, NGX_AOP_VERDICT_NONE, "10.0.0.9", "",
      REQUEST(1) },
      { 0, 0, 0, NGX_AOP_VERDICT_NONE, "10.0.0.9", "",
      REQUEST(2) },
      { 0, 0, 0, NGX_AOP_VERDICT_NONE, "10.0.0.9", "",
      REQUEST(3) },
      { 0, 5 * HOUR, 9, NGX_AOP_VERDICT_NONE, "10.0.0.9", "",
      REQUEST(4) },
      { 0, 5 * HOUR, 9, NGX_AOP_VERDICT_NONE, "10.0.0.9", "",
      REQUEST(5) } }, {
      { DAY - 1, NO, "none 4005", NULL }, { DAY, YES, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "a health check without Host, from an address in aop_edge", {
      busy(0, DAY), peer(0, DAY, 10, NONE, "10.0.0.9", OTHER_HOST|LISTED) }, {
      { 3 * HOUR, NO, "addresses: 10.0.0.9", NULL } }, 0, NULL, NULL, 0, 0 },

    { "a host of others that a private address asks for is not Cloudflare's", {
      busy(0, DAY), peer(0, 2 * HOUR, 10, NONE, "10.0.0.9", RAY|OTHER_HOST) }, {
      { 4 * HOUR, YES, "settled", "failed from Cloudflare" } },
      0, NULL, NULL, 0, 0 },

    { "a host of others that a relay asks for is", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      peer(HOUR, 2 * HOUR, 10, NONE, DOCKER, RAY|OTHER_HOST|RARE) }, {
      { 4 * HOUR, YES, "failed from Cloudflare for hosts that are not names of "
        "this server: a.example (361)", NULL } }, 0, NULL, NULL, 0, 0 },

    { "Docker's proxy, one host of two", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      { 0, DAY, 60, NGX_AOP_VERDICT_NONE, DOCKER, B, RAY } }, {
      { HOUR, NO, "from Cloudflare failed (7.801%): none 61; hosts: b.example",
        "aop off" } }, 0, NULL, NULL, 0, 0 },

    { "an administrator's certificate makes no relay", {
      busy(0, DAY), health(0, DAY, 10, NONE),
      peer(MIN, MIN, 0, OK, "10.0.0.9", 0) }, {
      { 2 * HOUR, NO, "addresses: 10.0.0.9", "CF-Ray" } },
      0, NULL, NULL, 0, 0 },

    { "aopctl probe on the origin", {
      busy(0, DAY), peer(0, MIN, 1, NONE, "127.0.0.1", TOOL),
      peer(0, MIN, 1, NONE, "10.0.0.8", TOOL) }, {
      { HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "whoever calls himself aopctl elsewhere is not", {
      busy(0, DAY), edge(0, MIN, 1, NONE, B, TOOL|RARE) }, {
      { HOUR, NO, "hosts: b.example", NULL } }, 0, NULL, NULL, 0, 0 },

    { "whoever calls himself aopctl behind a relay is not", {
      peer(0, DAY, 5, OK, DOCKER, RAY),
      { 0, MIN, 1, NGX_AOP_VERDICT_NONE, DOCKER, B, RAY|TOOL|RARE } }, {
      { HOUR, NO, "hosts: b.example", NULL } }, 0, NULL, NULL, 0, 0 },

    /* right word, wrong cause */

    { "addresses that are on no list", {
      { 0, DAY, 5, NGX_AOP_VERDICT_OK, DIRECT, A, RAY } }, {
      { 2 * HOUR, MAYBE, "1441 requests with a verified certificate came from "
        "addresses that are not Cloudflare's", "not enough" } },
      0, NULL, NULL, 0, 0 },

    { "addresses that are on no list, and AOP is not on", {
      { 0, DAY, 5, NGX_AOP_VERDICT_NONE, DIRECT, A, RAY } }, {
      { 2 * HOUR, MAYBE, "; 1441 requests with CF-Ray came from addresses that "
        "are not Cloudflare's (is the list in \"aop_edge\" out of date", NULL }
      }, 0, NULL, NULL, 0, 0 },

    { "a load balancer that hides addresses and CF-Ray", {
      peer(0, DAY, 5, OK, "10.0.0.1", 0) }, {
      { 2 * HOUR, MAYBE, "; 1441 requests came from private addresses (if a "
        "load balancer hides", NULL } }, 0, NULL, NULL, 0, 0 },

    { "scanners only", { { 0, DAY, 5, NGX_AOP_VERDICT_NONE, DIRECT, A, 0 } }, {
      { 3 * HOUR, MAYBE, "not enough traffic: 0 of 100 requests from "
        "Cloudflare in 3 h (they must come within 24 h); 2161 requests came "
        "from addresses that are not Cloudflare's", "CF-Ray" } },
      0, NULL, NULL, 0, 0 },

    { "an apex is named beside its www", {
      edge(0, DAY, 60, NONE, "shop.example", 0),
      edge(0, DAY, 60, NONE, "www.shop.example", 0) }, {
      { HOUR, NO, "; hosts: shop.example, www.shop.example; last", NULL } },
      0, NULL, NULL, 0, 0 },

    /* staged rollouts */

    { "1: the wrong toggle", {
      edge(0, 6 * HOUR, 5, NONE, A, 0), edge(6 * HOUR, DAY, 5, OK, A, 0) }, {
      { 2 * HOUR, NO, "(100%): none 1441", "connection" },
      { 7 * HOUR - 1, NO, NULL, NULL },
      { 7 * HOUR, YES, "failures before are settled", NULL } },
      0, NULL, NULL, 0, 0 },

    { "2: one hostname of three", {
      edge(0, DAY, 5, OK, A, 0), edge(1, DAY, 9, OK, B, 0),
      edge(2, 5 * HOUR, 600, NONE, "c.example", 0),
      edge(5 * HOUR, DAY, 60, OK, "c.example", 0) }, {
      { 4 * HOUR, NO, "hosts: c.example", B },
      { 6 * HOUR, NO, NULL, NULL },
      { 7 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "3: one colo late, again and again", {
      busy(0, 2 * DAY), edge(0, 4 * HOUR, 20 * MIN, NONE, A, 0),
      edge(4 * HOUR + 90 * MIN, 9 * HOUR, 90 * MIN, NONE, A, RARE) }, {
      { 4 * HOUR, NO, NULL, NULL },
      { 5 * HOUR + 15 * MIN, YES, NULL, NULL },
      { 5 * HOUR + 31 * MIN, NO, NULL, NULL },
      { 7 * HOUR, NO, NULL, NULL },
      { 8 * HOUR + 20 * MIN, NO, NULL, NULL },
      { 11 * HOUR, NO, NULL, NULL },
      { 11 * HOUR + 31 * MIN, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "4: the wrong CA", {
      edge(0, 2 * HOUR, 5, UNTRUSTED, A, 0), policy(2 * HOUR + 1),
      edge(2 * HOUR + 2, DAY, 5, OK, A, 0) }, {
      { HOUR, NO, "untrusted 721", NULL },
      { 2 * HOUR + 2, MAYBE, "not enough traffic: 1 of 100", NULL },
      { 3 * HOUR + 2, YES, "passed in 1 h, none failed", NULL } },
      0, NULL, NULL, 0, 0 },

    { "5: a certificate of the Origin CA", {
      edge(0, 2 * HOUR, 5, ORIGIN_CA, A, 0),
      edge(2 * HOUR + 5, DAY, 5, OK, A, 0) }, {
      { HOUR, NO, "origin_ca 721", NULL },
      { 3 * HOUR - 1, NO, NULL, NULL },
      { 3 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "6: the leaf expires in mid-window", {
      busy(0, 5 * HOUR), edge(5 * HOUR + 1, 6 * HOUR, 5, EXPIRED, A, 0),
      edge(6 * HOUR, DAY, 5, OK, A, 0) }, {
      { 5 * HOUR, YES, NULL, NULL },
      { 5 * HOUR + 1, NO, "expired 1", NULL },
      { 7 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "7: scanners beside the edge", {
      busy(0, DAY), { 0, DAY, 3, NGX_AOP_VERDICT_NONE, DIRECT, A, 0 },
      { 1, DAY, 30, NGX_AOP_VERDICT_UNTRUSTED, DIRECT, A, RAY },
      { 2, DAY, 30, NGX_AOP_VERDICT_PLAINTEXT, DIRECT, "", OTHER_HOST } }, {
      { HOUR, YES, "would reject 1441 requests from other addresses", NULL }
      }, 0, NULL, NULL, 0, 0 },

    { "8: an exempt path for ACME is not seen", { busy(0, DAY) }, {
      { HOUR, YES, NULL, "verified" } }, NGX_AOP_STATE_PARTLY, NULL, NULL,
      0, 0 },

    { "9: another tenant's Host", {
      busy(0, DAY), edge(0, DAY, 10, NONE, "evil.example", OTHER_HOST),
      edge(0, DAY, 10, OK, "theirs.example", OTHER_HOST) }, {
      { 2 * HOUR, YES, "evil.example (721)", "theirs" } },
      0, NULL, NULL, 0, 0 },

    { "10: another tenant's Host is no traffic", {
      edge(0, DAY, 1, OK, "theirs.example", OTHER_HOST) }, {
      { 2 * HOUR, MAYBE, "0 of 100 requests from Cloudflare in 2 h (they must "
        "come within 24 h), without 7201 for hosts that are not names", NULL }
      }, 0, NULL, NULL, 0, 0 },

    { "11: rotation, the new CA was forgotten", {
      busy(0, 3 * HOUR), edge(3 * HOUR, 4 * HOUR, 5, UNTRUSTED, A, 0),
      policy(4 * HOUR + 1), edge(4 * HOUR + 2, DAY, 5, OK, A, 0) }, {
      { 2 * HOUR, YES, NULL, NULL }, { 4 * HOUR, NO, "untrusted", NULL },
      { 5 * HOUR, MAYBE, "watched", NULL }, { 5 * HOUR + 2, YES, NULL, NULL }
      }, 0, NULL, NULL, 0, 0 },

    { "12: rotation as it should be", {
      busy(0, DAY), policy(3 * HOUR) }, {
      { 3 * HOUR - 1, YES, NULL, NULL }, { 3 * HOUR, MAYBE, NULL, NULL },
      { 4 * HOUR + 5, YES, "in 1 h", NULL } }, 0, NULL, NULL, 0, 0 },

    { "13: a CRL runs out", {
      busy(0, 3 * HOUR), edge(3 * HOUR, 5 * HOUR, 5, CRL, A, 0),
      policy(5 * HOUR + 1), edge(5 * HOUR + 2, DAY, 5, OK, A, 0) }, {
      { 3 * HOUR, NO, "crl 1", NULL }, { 6 * HOUR + 2, YES, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "14: a server without TLS on one address", {
      busy(0, DAY), edge(0, 5 * HOUR, 50, PLAINTEXT, A, 0) }, {
      { 4 * HOUR, NO, "plaintext", NULL }, { 5 * HOUR + 60, NO, NULL, NULL },
      { 6 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "15: mixed servers on one address", {
      busy(0, DAY), edge(0, 5 * HOUR, 50, MISDIRECTED, B, 0) }, {
      { 4 * HOUR, NO, "misdirected 289; hosts: b.example", A },
      { 6 * HOUR, NO, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "16: HTTP/2 opened before the toggle", {
      edge(0, 3 * HOUR, 5, NONE, A, 0), edge(0, 2 * HOUR, 60, OK, A, 0),
      edge(3 * HOUR, DAY, 5, OK, A, 0) }, {
      { 3 * HOUR, NO, "; a connection that was opened before Authenticated "
        "Origin Pulls was turned on stays without a certificate until it "
        "closes", NULL }, { 4 * HOUR, YES, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "17: a backup comes once a day", {
      busy(0, 4 * DAY), peer(3 * HOUR, 4 * DAY, DAY, NONE, "10.0.0.7", 0) }, {
      { 2 * HOUR, YES, NULL, NULL }, { 20 * HOUR, NO, "10.0.0.7", NULL },
      { 2 * DAY, NO, NULL, NULL }, { 4 * DAY, NO, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "18: a job comes every two hours, in bursts", {
      busy(0, 2 * DAY),
      peer(HOUR, DAY, 2 * HOUR, NONE, "10.0.0.7", 0),
      peer(HOUR + 1, DAY, 2 * HOUR, NONE, "10.0.0.7", 0),
      peer(HOUR + 2, DAY, 2 * HOUR, NONE, "10.0.0.7", 0) }, {
      { 3 * HOUR - 1, NO, NULL, NULL }, { 9 * HOUR - 1, NO, NULL, NULL },
      { DAY + 3 * HOUR - 3, NO, NULL, NULL },
      { DAY + 3 * HOUR, YES, NULL, NULL }
      }, 0, NULL, NULL, 0, 0 },

    { "19: a proxy of the CDN's customers in front", {
      busy(0, DAY), { HOUR, DAY, 600, NGX_AOP_VERDICT_OK, DIRECT, A, RAY } }, {
      { HOUR - 1, MAYBE, "watched", NULL },
      { 2 * HOUR, MAYBE, "7 requests with a verified certificate came", NULL }
      }, 0, NULL, NULL, 0, 0 },

    { "20: two relays, one of them fails", {
      peer(0, DAY, 5, OK, "10.0.0.2", RAY),
      peer(0, DAY, 50, OK, "10.0.0.3", RAY),
      { 0, 3 * HOUR, 50, NGX_AOP_VERDICT_NONE, "10.0.0.3", B, RAY },
      { 3 * HOUR, DAY, 20, NGX_AOP_VERDICT_OK, "10.0.0.2", B, RAY } }, {
      { 2 * HOUR, NO, "hosts: b.example", NULL },
      { 4 * HOUR - 1, NO, NULL, NULL }, { 4 * HOUR, YES, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    /* how long until yes, after each kind of repair */

    { "repair: a host of a busy site: an hour", {
      busy(0, DAY), edge(0, 2 * HOUR, 60, NONE, A, 0) }, {
      { 3 * HOUR - 1, NO, "settled at 2030-01-01T03:00:00Z if no more fail; "
        , "sooner" },
      { 3 * HOUR, YES, NULL, NULL } }, 0, NULL, "x", 0, 0 },

    { "repair: a host that is asked seldom: 100 requests", {
      busy(0, 2 * DAY), edge(0, 2 * HOUR, 60, NONE, B, 0),
      edge(2 * HOUR + 1, 2 * DAY, 120, OK, B, 0) }, {
      { 3 * HOUR, NO, "once 70 more requests for each", NULL },
      { 5 * HOUR + 1080, NO, "once 1 more request for each of these hosts "
        "passed", NULL },
      { 5 * HOUR + 1081, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "repair: a host that is asked no more: a day", {
      busy(0, 2 * DAY), edge(0, 2 * HOUR, 60, NONE, B, 0) }, {
      { 26 * HOUR - 1, NO, "settled at 2030-01-02T02:00:00Z if no more", NULL },
      { 26 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "repair: a health check: an hour", {
      busy(0, DAY), health(0, 2 * HOUR, 10, NONE) }, {
      { 3 * HOUR - 1, NO, "settled at 2030-01-01T03:00:00Z", NULL },
      { 3 * HOUR, YES, "settled", NULL } }, 0, NULL, NULL, 0, 0 },

    { "repair: a health check each hour: two hours", {
      busy(0, DAY), health(0, 5 * HOUR, HOUR, NONE) }, {
      { 7 * HOUR - 1, NO, NULL, NULL }, { 7 * HOUR, YES, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "repair: a private address seen once: a day", {
      busy(0, 2 * DAY), health(HOUR, HOUR, 0, NONE) }, {
      { 25 * HOUR - 1, NO, NULL, NULL }, { 25 * HOUR, YES, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "repair: a private address seen in one burst: a day", {
      busy(0, 2 * DAY), health(HOUR, HOUR + 600, 1, NONE) }, {
      { 25 * HOUR + 599, NO, NULL, NULL },
      { 25 * HOUR + 600, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "repair: certificates, by another policy: an hour", {
      busy(0, DAY), peer(0, HOUR, 10, UNTRUSTED, "10.0.0.9", 0),
      policy(HOUR + 1) }, {
      { HOUR, NO, NULL, NULL }, { 2 * HOUR, MAYBE, "watched", NULL },
      { 2 * HOUR + 5, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    { "repair: the list of addresses: a day", {
      busy(0, 2 * DAY), { 0, HOUR, 60, NGX_AOP_VERDICT_OK, DIRECT, A, RAY } }, {
      { 25 * HOUR - 1, MAYBE, "1 request with a verified certificate", NULL },
      { 25 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },

    /* a worker that still has the old policy */

    { "an old worker's verdicts are no evidence", {
      busy(0, HOUR), policy(HOUR), edge(HOUR, DAY, 1, OK, A, OLD),
      edge(HOUR, DAY, 10, UNTRUSTED, A, OLD) }, {
      { 3 * HOUR, MAYBE, "not enough traffic: 0 of 100", NULL } },
      0, NULL, NULL, 0, 0 },

    { "an old worker sees what has no certificate", {
      busy(0, DAY), policy(HOUR), edge(HOUR, DAY, 10, NONE, A, OLD) }, {
      { 3 * HOUR, NO, "none", NULL } }, 0, NULL, NULL, 0, 0 },

    /* the clock */

    { "the clock is a day ahead, and set back", {
      busy(0, DAY), edge(0, 3 * HOUR, 10, NONE, B, 0),
      clock(HOUR, DAY), clock(2 * HOUR, -DAY) }, {
      { HOUR - 1, NO, NULL, NULL }, { 2 * HOUR, NO, NULL, NULL },
      { 3 * HOUR, NO, "b.example", NULL }, { 23 * HOUR, NO, NULL, NULL } },
      0, NULL, NULL, 0, 0 },

    { "a failure is not forgotten when the clock was a day ahead", {
      busy(0, DAY), edge(0, 30 * MIN, 10, NONE, B, 0),
      health(0, 30 * MIN, 10, NONE),
      clock(HOUR, DAY), clock(HOUR + 60, -DAY) }, {
      { HOUR + 61, NO, "none 181; hosts: b.example", NULL },
      { 2 * HOUR, NO, "b.example", NULL } }, 0, NULL, NULL, 0, 0 },

    { "a year ahead, and set back: it ends", {
      busy(0, 3 * DAY), edge(60, 60, 0, NONE, B, 0),
      clock(30, 365 * DAY), clock(90, -365 * DAY) }, {
      { 2 * HOUR, NO, "settled at 2030-01-02T00:01:", NULL },
      { 25 * HOUR, YES, NULL, NULL } }, 0, NULL, NULL, 0, 0 },
};


/* Every verdict from everywhere: what matters is never passed over. */

static void
answer_each(void **state)
{
    unsigned           verdict, i, named;
    rollout_run_t      run;
    rollout_stream_t   stream;

    static const char *const  peers[] = { EDGE, DIRECT, "10.0.0.1" };

    for (verdict = NGX_AOP_VERDICT_OK
         + 1; verdict < NGX_AOP_VERDICTS; verdict++) {
        for (i = 0; i < unit_nelts(peers); i++) {
            const rollout_t  rollout = { .name = "" };

            memset(&run, 0, sizeof(run));
            rollout_conf(&run, &rollout);
            ngx_aop_evidence_init(&run.evidence, ROLLOUT_START, 0);

            memset(&stream, 0, sizeof(stream));
            stream.peer = peers[i];
            stream.verdict = verdict;
            stream.host = A;

            rollout_feed(&run, &stream, ROLLOUT_START);

            assert_int_equal(rollout_ask(&run, ROLLOUT_START + 1),
                             i == 1 ? MAYBE : NO);

            named = strstr(run.why, ngx_aop_verdict(verdict)->word) != NULL;

            assert_int_equal(named, i != 1);

            if (i != 1) {
                assert_int_equal(run.answer.verdict, verdict);
                assert_string_equal(run.answer.hint,
                                    ngx_aop_verdict(verdict)->hint[i / 2]);
            }
        }
    }
}


/* No hint advises to open what hides all clients. */

static void
answer_hints(void **state)
{
    size_t                   i;
    rollout_run_t            run;
    static const rollout_t   rollout = { .name = "" };

    static const rollout_stream_t  streams[] = {
        { 0, 0, 0, NGX_AOP_VERDICT_NONE, DOCKER, A, RAY },
        { 0, 0, 0, NGX_AOP_VERDICT_OK, DOCKER, A, RAY },
        { 0, 0, 0, NGX_AOP_VERDICT_NONE, DOCKER, A, 0 },
        { 0, 0, 0, NGX_AOP_VERDICT_NONE, "10.0.0.1", A, 0 },
    };

    memset(&run, 0, sizeof(run));
    rollout_conf(&run, &rollout);
    ngx_aop_evidence_init(&run.evidence, ROLLOUT_START, 0);

    for (i = 0; i < unit_nelts(streams); i++) {
        rollout_feed(&run, &streams[i], ROLLOUT_START + (time_t) i);

        assert_int_equal(rollout_ask(&run, ROLLOUT_START + (time_t) i), NO);
        assert_non_null(run.answer.hint);
        assert_null(strstr(run.answer.hint, "aop off"));
        assert_null(strstr(run.why, "aop off"));
    }

    /* a certificate that this server cannot accept is not presented */

    memset(&run.answer, 0, sizeof(run.answer));
    assert_null(strstr(ngx_aop_ready_hint(&run.answer, NGX_AOP_VERDICT_NONE,
                                          NGX_AOP_PEER_EDGE),
                       "post-quantum"));
    run.answer.classical = 1;
    assert_non_null(strstr(ngx_aop_ready_hint(&run.answer,
                                              NGX_AOP_VERDICT_NONE,
                                              NGX_AOP_PEER_EDGE),
                           "post-quantum"));
    assert_null(strstr(ngx_aop_ready_hint(&run.answer, NGX_AOP_VERDICT_NONE,
                                          NGX_AOP_PEER_DIRECT),
                       "post-quantum"));
}


/* The advice is for the worst: Cloudflare's first, then the most frequent. */

static void
answer_worst(void **state)
{
    size_t                    i, n;
    rollout_run_t             run;
    const ngx_aop_verdict_t  *worst;
    static const rollout_t    rollout = { .name = "" };

    static const struct {
        unsigned          times;
        rollout_stream_t  stream;
        ngx_aop_verdict_e worst;
        ngx_aop_peer_e    peer;
    } failed[] = {
        { 3, { 0, 0, 0, NGX_AOP_VERDICT_NONE, "10.0.0.1", A, 0 },
          NGX_AOP_VERDICT_NONE, NGX_AOP_PEER_PRIVATE },
        { 5, { 0, 0, 0, NGX_AOP_VERDICT_EXPIRED, "10.0.0.2", A, 0 },
          NGX_AOP_VERDICT_EXPIRED, NGX_AOP_PEER_PRIVATE },
        { 1, { 0, 0, 0, NGX_AOP_VERDICT_MISDIRECTED, EDGE, A, 0 },
          NGX_AOP_VERDICT_MISDIRECTED, NGX_AOP_PEER_EDGE },
        { 2, { 0, 0, 0, NGX_AOP_VERDICT_UNTRUSTED, EDGE, B, 0 },
          NGX_AOP_VERDICT_UNTRUSTED, NGX_AOP_PEER_EDGE },
    };

    (void) state;

    memset(&run, 0, sizeof(run));
    rollout_conf(&run, &rollout);
    ngx_aop_evidence_init(&run.evidence, ROLLOUT_START, 0);

    for (i = 0; i < unit_nelts(failed); i++) {

        for (n = 0; n < failed[i].times; n++) {
            rollout_feed(&run, &failed[i].stream, ROLLOUT_START);
        }

        worst = ngx_aop_verdict(failed[i].worst);

        assert_int_equal(rollout_ask(&run, ROLLOUT_START + 1), NO);
        assert_int_equal(run.answer.verdict, failed[i].worst);
        assert_int_equal(run.answer.peer, failed[i].peer);
        assert_string_equal(run.answer.hint, worst->hint[failed[i].peer]);
    }
}


/* The answer does not depend on the room for the reason. */

static void
answer_short(void **state)
{
    char                    buf[1];
    rollout_run_t           run;
    ngx_aop_text_t          why;
    static const rollout_t  rollout = { .name = "" };

    memset(&run, 0, sizeof(run));
    rollout_conf(&run, &rollout);
    ngx_aop_evidence_init(&run.evidence, ROLLOUT_START, 0);

    ngx_aop_text_init(&why, buf, 0);

    assert_int_equal(ngx_aop_ready(&run.evidence, &run.conf, ROLLOUT_START,
                                   &why, &run.answer), MAYBE);
    assert_int_equal(why.overflow, 1);
    assert_ptr_equal(why.pos, buf);
}


static void
answer_words(void **state)
{
    assert_string_equal(ngx_aop_ready_state_word(NGX_AOP_STATE_OBSERVING),
                        "observing");
    assert_string_equal(ngx_aop_ready_state_word(NGX_AOP_STATE_PARTLY),
                        "partly");
    assert_string_equal(ngx_aop_ready_state_word(NGX_AOP_STATE_ENFORCED),
                        "enforced");
    assert_string_equal(ngx_aop_ready_word(YES), "yes");
    assert_string_equal(ngx_aop_ready_word(NO), "no");
    assert_string_equal(ngx_aop_ready_word(MAYBE), "unknown");
}


int
main(void)
{
    unit_cases(cases, rollout_case);
    unit_case("each verdict from everywhere", answer_each, NULL);
    unit_case("hints of what comes through a relay", answer_hints, NULL);
    unit_case("the worst failure", answer_worst, NULL);
    unit_case("no room for the reason", answer_short, NULL);
    unit_case("words", answer_words, NULL);

    return unit_run("ready", NULL, NULL);
}
