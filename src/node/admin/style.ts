/** The whole style of the status page: it stands in the page, for the admin listener serves no files. */
export const style = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dde2e8; --paper: #f6f7f9; --card: #fff; --accent: #0b6e6e;
  --good: #17693a; --good-bg: #e3f4ea; --warn: #8a5300; --warn-bg: #fdf0d9; --bad: #a3202b; --bad-bg: #fde7e8; --plain-bg: #eceff3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a3b3; --line: #2c343f; --paper: #12161b; --card: #1a2027; --accent: #4cc2b8;
  --good: #7fd6a0; --good-bg: #173324; --warn: #f0c173; --warn-bg: #3a2b10; --bad: #ff9aa2; --bad-bg: #40191d; --plain-bg: #262e38; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 56px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; margin-bottom: 20px; }
h1 { font-size: 24px; margin: 0 6px 0 0; letter-spacing: -0.01em; }
h1 span { color: var(--accent); }
h2 { font-size: 16px; margin: 32px 0 10px; }
h2 small { color: var(--soft); font-weight: 400; margin-left: 6px; }
code, .mono { font: 13px/1.5 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; }
a { color: var(--accent); }
nav { margin-left: auto; display: flex; gap: 16px; font-size: 14px; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px; background: var(--line); border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; margin: 0; }
.facts div { background: var(--card); padding: 12px 16px; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 2px 0 0; font-size: 16px; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.facts .wide { grid-column: 1 / -1; }
.facts ul { display: flex; flex-wrap: wrap; gap: 2px 24px; margin: 0; padding: 0; list-style: none; font-size: 15px; }
@media (max-width: 760px) { .facts { grid-template-columns: repeat(2, 1fr); } main { padding: 20px 14px 40px; } nav { margin-left: 0; } }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { width: 100%; min-width: 860px; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 9px 16px; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-size: 13px; font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
td ul { margin: 0; padding: 0; list-style: none; }
.soft { color: var(--soft); }
.small { font-size: 13px; }
.tag { display: inline-block; padding: 1px 9px; border-radius: 999px; font-size: 13px; font-weight: 500; background: var(--plain-bg); white-space: nowrap; }
.good { background: var(--good-bg); color: var(--good); }
.warn { background: var(--warn-bg); color: var(--warn); }
.bad { background: var(--bad-bg); color: var(--bad); }
.notice { border-radius: 10px; padding: 12px 16px; margin: 0 0 16px; }
.notice p { margin: 0 0 6px; font-weight: 600; }
.notice p:last-child { margin: 0; }
.notice ul, .list { margin: 0; padding: 0; list-style: none; }
.notice li, .list li { overflow-wrap: anywhere; padding: 2px 0; }
.bar { display: flex; height: 6px; width: 120px; border-radius: 3px; overflow: hidden; background: var(--plain-bg); margin-top: 5px; }
.bar i { background: var(--accent); }
.bar i:nth-child(even) { opacity: 0.45; }
footer { margin-top: 36px; color: var(--soft); font-size: 13px; }
`

/** What the list of the API reference adds. */
export const referenceStyle = `
.words { white-space: pre-line; max-width: 80ch; }
.operations { border: 1px solid var(--line); border-radius: 10px; background: var(--card); overflow: hidden; }
details + details { border-top: 1px solid var(--line); }
summary { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; padding: 9px 16px; cursor: pointer; }
summary:hover, details[open] > summary { background: var(--paper); }
summary code { overflow-wrap: anywhere; }
summary .soft { margin-left: auto; font-size: 14px; }
.method { width: 62px; font-size: 12px; letter-spacing: 0.03em; color: var(--accent); }
.method.delete { color: var(--bad); }
.method.put, .method.patch, .method.post { color: var(--warn); }
.inside { padding: 4px 16px 16px; border-top: 1px solid var(--line); }
.inside table { min-width: 640px; }
.inside tbody th { font-weight: 400; }
h3 { font-size: 14px; margin: 18px 0 8px; }
pre { margin: 0 0 10px; padding: 12px 16px; border: 1px solid var(--line); border-radius: 10px; background: var(--paper); overflow-x: auto;
  font: 13px/1.5 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; }
`
