"""The style of the simulator's page: light and dark, narrow and wide."""

STYLE = """\
:root {
  color-scheme: light dark;
  --back: #f4f5f7; --panel: #fff; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4;
  --good: #1a7f37; --good-back: #dafbe1; --bad: #b42318; --bad-back: #fee4e2;
  --accent: #2456d6; --on-accent: #fff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0f1318; --panel: #181d24; --ink: #e6eaef; --soft: #9aa5b1;
    --line: #303842; --good: #57d47a; --good-back: #12331d; --bad: #ff9c92;
    --bad-back: #42191a; --accent: #8aaeff; --on-accent: #0b1220;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 64rem; margin: 0 auto; padding: 2rem 1rem 3rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 0 0 .75rem; font-size: 1.1rem; }
.lead { color: var(--soft); max-width: 44rem; margin: .5rem 0 1.5rem; }
code { font: .86em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.cards { display: grid; gap: 1rem; margin-bottom: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.card, .panel { background: var(--panel); border: 1px solid var(--line);
  border-radius: .75rem; padding: 1rem 1.25rem; }
.card h2 { display: flex; justify-content: space-between; align-items: center;
  margin-bottom: .25rem; }
.card code { color: var(--soft); }
.badge { font-size: .8rem; font-weight: 600; border-radius: 1rem;
  padding: .1rem .65rem; color: var(--good); background: var(--good-back); }
.card.bad { border-color: var(--bad); }
.card.bad .badge { color: var(--bad); background: var(--bad-back); }
.panel { margin-bottom: 1rem; overflow-x: auto; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
.row p { display: grid; gap: .25rem; margin: 0; min-width: 0; }
.row label { font-weight: 600; }
.row select { width: 100%; }
.row .wide { flex: 1 1 20rem; }
fieldset { border: 0; padding: 0; margin: 1rem 0 0; display: grid; gap: .4rem; }
legend { font-weight: 600; padding: 0; }
select, input:not([type=radio]), button, .button {
  font: inherit; padding: .5rem .75rem; border-radius: .5rem; max-width: 100%;
  border: 1px solid var(--line); background: var(--panel); color: var(--ink);
}
input[name=keys] { padding: .2rem .5rem; width: 12rem; }
button { background: var(--accent); border-color: var(--accent);
  color: var(--on-accent); font-weight: 600; cursor: pointer; }
.quiet { background: transparent; border-color: var(--line); color: var(--ink);
  font-weight: 400; text-decoration: none; }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; }
td code { overflow-wrap: normal; white-space: nowrap; }
th, td { white-space: nowrap; text-align: left; vertical-align: top;
  padding: .4rem .75rem .4rem 0;
  border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-size: .85rem; font-weight: 600; }
td.good { color: var(--good); }
td.bad { color: var(--bad); }
td small, .none, .foot { color: var(--soft); }
td form button { padding: .15rem .6rem; }
.trouble { border-left: 4px solid var(--bad); background: var(--bad-back);
  padding: .75rem 1rem; border-radius: .25rem; }
.foot { font-size: .9rem; }
.foot a { color: inherit; }
"""
