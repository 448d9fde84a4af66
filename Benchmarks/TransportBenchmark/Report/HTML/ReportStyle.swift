/// The look of the page: as the lab page's, in light and dark.
enum ReportStyle {
    static let css = """
        :root {
          color-scheme: light dark;
          --ground: light-dark(#fcfcfa, #16181b); --ink: light-dark(#1d2125, #e6e6e3);
          --quiet: light-dark(#5b6268, #a0a5aa); --line: light-dark(#dcdcd6, #34383d);
          --s0: light-dark(#0072b2, #56b4e9); --s1: light-dark(#b34700, #e69f00); --s2: light-dark(#00694f, #2fc39a);
          --s3: light-dark(#98417a, #e79bc8); --s4: light-dark(#3b3b3b, #d0d0d0); --s5: light-dark(#7a6a00, #f0e442);
          --s6: light-dark(#5a3fb0, #b09cf0); --s7: light-dark(#8c1d1d, #f08080);
        }
        body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
        h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-top: 2px solid var(--line); padding-top: 1rem; }
        a { color: var(--s0); } nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none; }
        pre { overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; color: var(--quiet); }
        .findings { border-left: 4px solid var(--s0); padding: .1rem 1rem; }
        dt { font-weight: 600; } dd { margin: 0 0 .75rem; } .cause { color: var(--quiet); }
        .warning { border-left: 4px solid var(--s1); padding: .5rem 1rem; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
        caption, figcaption { text-align: left; font-weight: 600; padding: .5rem 0 .25rem; }
        th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
        th:first-child { text-align: left; font-weight: 400; } thead th { color: var(--quiet); font-weight: 400; }
        figure { margin: 1rem 0; } figure svg { min-width: 32rem; width: 100%; height: auto; }
        .legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: 0; list-style: none; }
        .legend li { display: flex; align-items: center; gap: .4rem; }
        .legend svg { width: 34px; min-width: 34px; height: 8px; }
        .grid { stroke: var(--line); } .axis { fill: var(--quiet); font-size: 12px; }
        path { fill: none; stroke-width: 2; stroke-linejoin: round; } .legend line { stroke-width: 2.5; }
        .dots { stroke-width: 4; stroke-linecap: round; stroke-opacity: .75; }
        .s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); } .s2 { stroke: var(--s2); } .s3 { stroke: var(--s3); }
        .s4 { stroke: var(--s4); } .s5 { stroke: var(--s5); } .s6 { stroke: var(--s6); } .s7 { stroke: var(--s7); }
        """
}
