// The style sheet of every page: two palettes behind one set of variables, system fonts, and charts that fill their
// column. Text reaches a contrast of 4.5 in both modes, shaded tokens included (a browser test measures it).
import { SHADES } from './card.ts'
import { inkRules } from './palette.ts'

const LIGHT = '--paper:#f6f5f1;--panel:#fff;--text:#1d2023;--soft:#5b6067;--rule:#e2dfd8;' +
  '--faint:#efede8;--accent:#1f5cae;--heat:#f3a53c;--on:#fff'
const DARK = '--paper:#131518;--panel:#1b1e22;--text:#e8e6e1;--soft:#a2a7ae;--rule:#33383f;' +
  '--faint:#262a2f;--accent:#7db4f2;--heat:#8d5005;--on:#10151c'

const TYPE = `
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--text);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
main,.banner{max-width:1200px;margin:0 auto;padding:0 clamp(16px,3vw,32px)}
main{padding-bottom:56px}
h1,h2,h3,p,figure,dl,dd,ol{margin:0;padding:0}
h1{font-size:clamp(24px,3.4vw,34px);line-height:1.15;letter-spacing:-.02em;font-weight:650}
h2{font-size:20px;line-height:1.25;letter-spacing:-.01em;font-weight:630}
h3{font-size:15px;font-weight:630}
code,.text,.strength{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
section{margin:44px 0 0}
.lead{color:var(--soft);margin:4px 0 16px;max-width:46em}
.card,.chart,.scroll,.tiles div{background:var(--panel);border:1px solid var(--rule);border-radius:10px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}`

const HEAD = `
.banner{padding-top:36px}
.model{color:var(--soft);margin-top:6px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin-top:24px}
.tiles div{padding:12px 16px}
.tiles dt{color:var(--soft);font-size:13px}
.tiles dd{font-size:23px;font-weight:600;letter-spacing:-.01em;line-height:1.3;white-space:nowrap;font-variant-numeric:tabular-nums}
.tiles small{display:block;white-space:normal;color:var(--soft);font-size:13px;font-weight:400;letter-spacing:0;line-height:1.4}
.settings{display:flex;flex-wrap:wrap;gap:6px 28px;margin-top:18px;font-size:14px}
.settings div{display:flex;gap:8px}
.settings dt{color:var(--soft)}
.tools{position:sticky;top:0;z-index:2;background:var(--paper);border-bottom:1px solid var(--rule);margin-top:28px}
.tools[hidden]{display:none}
.tools>div{max-width:1200px;margin:0 auto;padding:8px clamp(16px,3vw,32px);display:flex;flex-wrap:wrap;gap:8px 16px;align-items:center}
.layers{flex:1 1 0;display:flex;gap:6px;overflow-x:auto;padding:3px;align-items:center;min-width:min(100%,300px)}
.layers>span,.find>span{color:var(--soft);font-size:13px;flex:none}
button{font:inherit;font-size:13px;line-height:1;flex:none;min-width:34px;padding:8px 10px;border:1px solid var(--rule);
  border-radius:7px;background:var(--panel);color:var(--text);cursor:pointer;border-bottom:3px solid var(--ink,var(--rule))}
button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--on)}
.find{display:flex;gap:8px;align-items:center;flex:1 1 220px;max-width:380px;margin-left:auto}
input{font:inherit;font-size:14px;width:100%;min-width:0;padding:6px 10px;border:1px solid var(--soft);border-radius:7px;
  background:var(--panel);color:var(--text)}
input::placeholder{color:var(--soft);opacity:1}`

const TABLE = `
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;white-space:nowrap;font-size:14px}
.note{color:var(--soft);font-size:13px;padding:8px 2px 14px}
th,td{padding:7px 12px;text-align:right;font-weight:400}
th[scope=row],thead tr:last-child th:first-child{text-align:left;padding-left:16px}
td:last-child,tr>th:last-child{padding-right:16px}
th[scope=row]{position:sticky;left:0;background:var(--panel);font-weight:550}
thead th{color:var(--soft);font-size:13px}
thead th[scope=colgroup]{text-align:left;padding-bottom:0;border-left:1px solid var(--faint);font-weight:600;color:var(--text)}
.first{border-left:1px solid var(--faint)}
thead tr:last-child th,tbody tr:last-child>*{border-bottom:1px solid var(--rule)}
tbody tr:hover>*{background:var(--faint)}
tfoot tr:last-child>*{padding-bottom:10px}
tfoot tr:first-child>*{font-weight:600}
td.none{color:var(--soft);font-weight:400}
abbr{text-decoration:none;cursor:help}`

const CHART = `
.grid-2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}
.grid-n{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),1fr));gap:14px}
.many figcaption span{display:block}
.grid-n.many{grid-template-columns:repeat(auto-fill,minmax(160px,1fr));gap:8px}
.chart{position:relative;padding:12px 14px 8px;min-width:0}
figcaption{font-size:14px;line-height:1.4;margin-bottom:4px}
figcaption b{font-weight:630}
figcaption span{color:var(--soft);font-size:13px}
.plot{display:block;overflow:visible;touch-action:pan-y;margin:10px 0 24px}
.wide{width:calc(100% - 100px);margin-left:42px}
.slim{width:calc(100% - 46px);margin-left:34px}
.rows{width:calc(100% - 122px);margin-left:62px}
.tall{margin-bottom:40px}
.grid{stroke:var(--faint)}
.axis{stroke:var(--rule)}
.tick{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.value{fill:var(--text);font-size:12px;font-variant-numeric:tabular-nums}
.name{fill:var(--ink);font-size:12px;font-weight:600}
path{fill:none;stroke:var(--ink);stroke-width:1.6;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}
path.k4,path.k5,path.k6,path.k7{stroke-dasharray:6 4}
.dot,.bar,.bars rect{fill:var(--ink)}
.bar.all{--ink:var(--soft)}
.dim{opacity:.13}
.ramp{display:flex;align-items:center;gap:3px;color:var(--soft);font-size:13px;margin:0 0 10px}
.ramp i{width:14px;height:10px;background:var(--ink);border-radius:2px}
.ramp span{margin:0 5px}
.cursor{stroke:var(--soft)}
.read{position:absolute;top:44px;z-index:1;pointer-events:none;background:var(--panel);border:1px solid var(--rule);
  border-radius:8px;box-shadow:0 4px 16px #0002;padding:7px 10px;font-size:12.5px;line-height:1.45;white-space:nowrap;
  font-variant-numeric:tabular-nums}
.read[hidden]{display:none}
.read b{display:block;font-weight:600;color:var(--soft)}
.read i{display:inline-block;width:9px;height:9px;border-radius:50%;background:var(--ink);margin-right:6px}
.read span{display:flex;align-items:baseline;gap:2px}
.read em{margin-left:auto;padding-left:14px;font-style:normal}`

const CARD = `
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,500px),1fr));gap:14px;align-items:start}
.card{padding:14px 16px;min-width:0}
.card[hidden],tr[hidden],figure[hidden]{display:none}
.card header{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;justify-content:space-between}
.chip{font-size:12.5px;font-weight:600;color:var(--ink);border:1px solid var(--ink);border-radius:5px;padding:1px 6px;margin-right:4px}
.card dl{display:flex;gap:14px;font-size:13px;font-variant-numeric:tabular-nums}
.card dl div{display:flex;gap:5px}
.card dt{color:var(--soft)}
.why{margin:4px 0 8px}
.why code{white-space:pre-wrap;font-size:13px;background:var(--faint);border-radius:4px;padding:1px 3px}
.contexts{list-style:none;border-top:1px solid var(--faint)}
.contexts li{display:grid;grid-template-columns:46px minmax(0,1fr);gap:8px;padding:6px 0;border-bottom:1px solid var(--faint)}
.contexts li:last-child{border-bottom:0;padding-bottom:0}
.strength{color:var(--soft);font-size:12px;line-height:20px;text-align:right;font-variant-numeric:tabular-nums}
.text{font-size:12.5px;line-height:20px;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
mark{color:inherit;background:var(--shade);border-radius:3px;padding:2px 0;unicode-bidi:isolate}
.peak{box-shadow:inset 0 -2px var(--text)}
.scale{display:inline-flex;vertical-align:-1px;margin:0 2px}
.scale i{width:12px;height:12px;background:var(--shade)}
.empty{color:var(--soft)}`

const SMALL = `
@media(max-width:600px){
section{margin-top:34px}
.banner{padding-top:24px}
.tools{position:static}
.find{max-width:none;margin-left:0}
.tiles{grid-template-columns:1fr 1fr;gap:8px}
.tiles div{padding:10px 12px}
.tiles div:last-child:nth-child(odd){grid-column:1/-1}
.tiles dd{font-size:19px}
.chart{padding:12px 10px 8px}
.card{padding:12px}
.contexts li{grid-template-columns:38px minmax(0,1fr)}
}`
const PRINT = '\n@media print{.tools{display:none}.card,.chart{break-inside:avoid}}'

/** The whole sheet. */
export function styleSheet(): string {
  // Even the faintest shade is told from none: they run from a fifth of the heat to all of it.
  const shades = Array.from({ length: SHADES }, (_, i) => {
    const heat = Math.round(12 + 88 * (i + 1) / SHADES)
    return `.a${i + 1}{--shade:color-mix(in srgb,var(--heat) ${heat}%,var(--panel))}`
  })
  const light = `:root{${LIGHT}}${inkRules('light')}`, dark = `@media(prefers-color-scheme:dark){:root{${DARK}}${inkRules('dark')}}`
  return [light, dark, TYPE, HEAD, TABLE, CHART, CARD, ...shades, SMALL, PRINT].join('')
}
