
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * How the page looks, by day and by night, on a desk and on a phone.  Colors
 * are only ever beside a word that says the same.
 */


#include "ngx_aop_page.h"


const char  ngx_aop_page_style[] =
    "<style>"
    ":root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--card:#f6f8fa;"
    "--line:#d0d7de;--soft:#57606a;--yes:#116329;--no:#b3152e;"
    "--unknown:#7d4e00;--enforced:#0550ae;--bar:#6e7781}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;"
    "--card:#161b22;--line:#30363d;--soft:#9198a1;--yes:#56d364;--no:#ff8f87;"
    "--unknown:#e3b341;--enforced:#79c0ff;--bar:#8b949e}}\n"
    "*{box-sizing:border-box}"
    "body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;"
    "padding:.6rem 1rem;max-width:84rem;color:var(--ink);"
    "background:var(--paper)}\n"
    "h1{font-size:1.2rem;margin:0}h2{font-size:1rem;margin:.9rem 0 .2rem}"
    "p{margin:.3rem 0}a{color:inherit}small{font-weight:400}"
    "header p,footer,.none,small{color:var(--soft);font-size:.85rem}"
    "header{display:flex;flex-wrap:wrap;gap:0 1rem;align-items:baseline}"
    "footer{margin-top:1.5rem}\n"

    /* a server */

    ".list{display:grid;gap:0 1.2rem;align-items:start;"
    "grid-template-columns:repeat(auto-fill,minmax(min(34rem,100%),1fr))}"
    "#attention .list{display:block}"
    ".s{border-bottom:1px solid var(--line);border-left:.25rem solid;"
    "min-width:0}"
    ".s>summary{display:grid;grid-template-columns:.8rem 5rem "
    "minmax(0,17fr) minmax(0,10fr) 96px;gap:0 .5rem;align-items:center;"
    "line-height:26px;padding-left:.4rem;cursor:pointer;list-style:none}"
    "#attention .s>summary{grid-template-columns:.8rem 5rem "
    "minmax(0,1fr) minmax(0,1fr) 96px}"
    ".s>summary::-webkit-details-marker{display:none}"
    ".s>summary::before{content:'\\25b8';content:'\\25b8'/'';"
    "color:var(--soft)}"
    ".s[open]>summary::before{content:'\\25be';content:'\\25be'/''}"
    ".s>summary>span{overflow:hidden;text-overflow:ellipsis;"
    "white-space:nowrap}"
    ".n{font-weight:600}.w{color:var(--soft);font-size:.85rem}"
    ".s>div{padding:.2rem .9rem .6rem;background:var(--card);"
    "overflow-wrap:break-word}"
    ".hint{border-left:.15rem solid var(--line);padding-left:.6rem}"
    ".s ul{margin:.3rem 0;padding-left:1.2rem}"
    "pre{margin:.3rem 0;padding:.4rem .7rem;overflow-wrap:anywhere;"
    "white-space:pre-wrap;border:1px solid var(--line);background:var(--paper);"
    "font:.8rem/1.4 ui-monospace,monospace}"
    ".yes{border-left-color:var(--yes)}.no{border-left-color:var(--no)}"
    ".unknown{border-left-color:var(--unknown)}"
    ".enforced{border-left-color:var(--enforced)}"
    ".off{border-left-color:var(--line)}.off b{color:var(--soft)}"
    ".enforced b{color:var(--enforced)}.yes b{color:var(--yes)}"
    ".no b,.urgent{color:var(--no)}.unknown b,.soon{color:var(--unknown)}"
    ".urgent,.soon{font-weight:600}"
    "svg{width:96px;height:20px;border-bottom:1px solid var(--line)}"
    "path{stroke-width:3}.p{stroke:var(--bar)}.f{stroke:var(--no)}\n"

    /* tables, and what the verdicts mean */

    ".t>summary{cursor:pointer;margin-top:.6rem}"
    ".t>summary h2{display:inline}"
    "table{border-collapse:collapse;font-size:.85rem;width:100%}"
    "th,td{text-align:left;padding:.3rem .9rem .3rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--soft);font-weight:600;white-space:nowrap}"
    "td{overflow-wrap:break-word;max-width:22rem}"
    ".c-subject,.c-anchor,.c-host,.c-uri,.c-user_agent,.c-fingerprint"
    "{overflow-wrap:anywhere}"
    ".c-address{min-width:7.5rem}.c-host{min-width:6rem}"
    ".c-subject,.c-anchor,.c-fingerprint{min-width:9rem}"
    ".number{font-variant-numeric:tabular-nums;text-align:right}"
    "time,.c-verdict{white-space:nowrap}"
    ".c-fingerprint,.c-uri{font-family:ui-monospace,monospace;"
    "font-size:.75rem}"
    "dl{margin:0;font-size:.85rem;columns:28rem;column-gap:2rem}"
    "dl>div{padding:.3rem 0;border-bottom:1px solid var(--line);"
    "break-inside:avoid}dt{font-weight:600}dd{margin:0}"
    "dl>div:target{background:var(--card)}\n"

    /* on a phone a row is a few lines of text; its headings are still read */

    "@media(max-width:60rem){thead{position:absolute;width:1px;height:1px;"
    "overflow:hidden;clip-path:inset(50%)}"
    "table,thead,tbody,tr{display:block}"
    "tr{border-bottom:1px solid var(--line);padding:.5rem 0}"
    "td,td.number{display:inline-block;max-width:100%;border:0;padding:0;"
    "margin-right:.9rem;text-align:left;min-width:0}"
    "td.c-server{display:block;font-weight:600}td:empty{display:none}"
    "td::before{content:attr(data-th)' ';color:var(--soft);"
    "font:.75rem system-ui,sans-serif}"
    "td.c-server::before{content:none}}\n"
    "@media(max-width:40rem){body{padding:.3rem .5rem;font-size:14px}"
    "h2{margin:.3rem 0 0;line-height:1.2}header p{margin:0;font-size:.8rem}"
    ".s>summary,#attention .s>summary{grid-template-columns:.7rem 4.6rem "
    "minmax(0,1fr) 60px;gap:0 .3rem;line-height:23px;padding-left:.2rem}"
    "svg{width:60px;grid-column:4;grid-row:1}"
    ".w{display:none}#attention .w{display:block;grid-column:3/-1;"
    "line-height:1.3;padding-bottom:2px}}\n"
    "</style>";
