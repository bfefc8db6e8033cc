"use strict";
(function () {
  const $ = id => document.getElementById(id);
  const el = (name, attributes, parent, text) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    if (text !== undefined) e.textContent = text;
    if (parent) parent.appendChild(e);
    return e;
  };
  const colour = i => "var(--c" + (i % 7) + ")";
  const dash = i => ["", "7 4", "2 3", "9 3 2 3"][Math.floor(i / 7) % 4];

  // Numbers with a unit that suits the largest of them.
  const prefixes = { "s": [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]] };
  for (const u of ["bit/s", "B", "B/s", "Hz", "W", "J"]) prefixes[u] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const prefix = (unit, most) => {
    for (const [f, p] of prefixes[unit] || []) if (most >= f) return [1 / f, p + unit];
    return [1, unit];
  };
  const digits = v => String(+v.toPrecision(4));
  const measure = (v, unit) => {
    const [f, u] = prefix(unit, Math.abs(v));
    return digits(v * f) + (u ? " " + u : "");
  };

  // Ticks at 1, 2, 5 times a power of ten.
  const even = (low, high, about) => {
    const rough = (high - low) / about, power = Math.pow(10, Math.floor(Math.log10(rough))), out = [];
    let step = power * 10;
    for (const m of [1, 2, 5]) if (rough <= m * power * 1.0001) { step = m * power; break; }
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) out.push(k * step);
    return out;
  };
  const powers = (low, high) => {
    const out = [], few = high / low < 300;
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
      for (const m of few ? [1, 2, 5] : [1]) {
        const v = m * Math.pow(10, e);
        if (v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)) out.push(v);
      }
    return out;
  };

  // Time: every part of the page that shows it is told.
  let now = DATA.until, playing = false, last = 0;
  const watchers = [];
  const steps = 2000;
  const setNow = t => {
    now = Math.min(Math.max(t, 0), DATA.until);
    $("time").value = String(Math.round(now / DATA.until * steps));
    $("clock").textContent = now.toFixed(3) + " s";
    for (const w of watchers) w(now);
  };
  const play = on => {
    playing = on;
    $("play").textContent = on ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", on ? "pause" : "play");
    if (on) {
      if (now >= DATA.until) setNow(0);
      last = performance.now();
      requestAnimationFrame(frame);
    }
  };
  const frame = t => {
    if (!playing) return;
    setNow(now + Math.max(0, t - last) / 1000 * Number($("speed").value));
    last = t;
    if (now >= DATA.until) play(false); else requestAnimationFrame(frame);
  };

  // The map.
  const ramp = v => { // grey, then from blue over yellow to red
    if (!(v > 0.005)) return "var(--idle)";
    const stops = [[0, 86, 160, 211], [0.5, 240, 190, 60], [0.8, 228, 110, 30], [1, 192, 32, 40]];
    v = Math.min(v, 1);
    let i = 1;
    while (stops[i][0] < v) i++;
    const a = stops[i - 1], b = stops[i], f = (v - a[0]) / (b[0] - a[0]);
    return "rgb(" + [1, 2, 3].map(k => Math.round(a[k] + (b[k] - a[k]) * f)).join(",") + ")";
  };
  const drawMap = () => {
    const nodes = DATA.nodes, links = DATA.links;
    if (!nodes.length) return;
    $("topology").hidden = false;
    const ys = nodes.map(n => n.y), flat = Math.max(...ys) === Math.min(...ys);
    const W = 1200, H = flat ? 220 : nodes.length > 60 ? 760 : 480, mx = 90, my = 50;
    const svg = el("svg", { viewBox: "0 0 " + W + " " + H, role: "img", "aria-label": "topology" }, $("map"));
    const px = n => mx + n.x * (W - 2 * mx), py = n => my + n.y * (H - 2 * my);
    const small = nodes.length > 60, r = small ? 5 : nodes.length > 24 ? 9 : 13, wide = small ? 2.5 : nodes.length > 24 ? 4 : 6;
    const halves = [], titles = [];
    const beside = {}; // links of one pair of nodes
    for (const l of links) {
      const key = Math.min(l.a, l.b) + " " + Math.max(l.a, l.b), k = beside[key] = (beside[key] || 0) + 1;
      const a = nodes[l.a], b = nodes[l.b], dx = px(b) - px(a), dy = py(b) - py(a), d = Math.hypot(dx, dy) || 1;
      const off = (k % 2 ? -1 : 1) * Math.floor(k / 2) * (small ? 6 : 18) * (l.a < l.b ? 1 : -1), ox = -dy / d * off, oy = dx / d * off;
      const cx = (px(a) + px(b)) / 2 + ox, cy = (py(a) + py(b)) / 2 + oy;
      const g = el("g", {}, svg);
      titles.push(el("title", {}, g, l.n));
      halves.push([[px(a), py(a)], [px(b), py(b)]].map(p => el("line", { x1: p[0] + ox, y1: p[1] + oy, x2: cx, y2: cy, stroke: "var(--idle)", "stroke-width": wide, "stroke-linecap": "butt" }, g)));
      if (!small && links.length <= 40 && l.l) {
        const slope = dx ? dy / dx : 1e9, level = Math.abs(slope) < 0.25; // beside the line, on its free side
        el("text", { x: cx + (level ? 0 : 10), y: cy + (level ? -9 : slope > 0 ? -3 : 13), "text-anchor": level ? "middle" : "start", class: "soft halo", "font-size": 11 }, g, l.l);
      }
    }
    for (const n of nodes) {
      const g = el("g", {}, svg);
      el("title", {}, g, n.n + (n.r ? " (router)" : n.s ? " (segment)" : ""));
      const style = { fill: "var(--node)", stroke: "var(--ink)", "stroke-width": small ? 1.2 : 2 };
      if (n.s) el("rect", Object.assign({ x: px(n) - 1.4 * r, y: py(n) - r / 2, width: 2.8 * r, height: r, rx: 2 }, style, { fill: "var(--idle)" }), g);
      else if (n.r) el("rect", Object.assign({ x: px(n) - r, y: py(n) - r, width: 2 * r, height: 2 * r, rx: r / 2.5 }, style), g);
      else el("circle", Object.assign({ cx: px(n), cy: py(n), r: r }, style), g);
    }
    for (const n of nodes) { // above all nodes
      if (nodes.length <= 150) el("text", { x: px(n), y: py(n) + r + (small ? 11 : 16), "text-anchor": "middle", class: "halo", "font-weight": small ? 400 : 600, "font-size": small ? 9 : nodes.length > 24 ? 10 : 12 }, svg, n.n);
    }
    if (!DATA.map.length) { document.querySelector("#topology label").hidden = true; return; }
    DATA.map.forEach((m, i) => $("view").add(new Option(m.n, String(i))));
    const show = t => {
      const m = DATA.map[Number($("view").value)], k = Math.round((t - m.x0) / m.dx);
      halves.forEach((pair, i) => {
        const said = pair.map((h, end) => {
          const all = m.v[i][end], v = all.length && k >= 0 ? all[Math.min(k, all.length - 1)] : 0;
          h.setAttribute("stroke", ramp(m.most > 0 ? v / m.most : 0));
          return DATA.nodes[end ? links[i].b : links[i].a].n + " → " + DATA.nodes[end ? links[i].a : links[i].b].n + ": " + m.n + " " + (m.u ? measure(v || 0, m.u) : digits((v || 0) * 100) + " %");
        });
        titles[i].textContent = links[i].n + "\n" + said.join("\n");
      });
    };
    const scale = () => {
      const m = DATA.map[Number($("view").value)];
      const stops = [0.006, 0.25, 0.5, 0.65, 0.8, 1].map(v => ramp(v) + " " + v * 100 + "%").join(",");
      $("scale").innerHTML = "";
      const bar = document.createElement("i");
      bar.style.background = "linear-gradient(90deg," + stops + ")";
      $("scale").append("0", bar, m.u ? measure(m.most, m.u) : "100 %");
      show(now);
    };
    $("view").addEventListener("change", scale);
    scale();
    watchers.push(show);
  };

  // A panel.
  const drawPanel = p => {
    const div = document.createElement("div");
    div.className = "panel";
    const h = document.createElement("h3");
    h.textContent = p.t;
    const keys = document.createElement("div");
    keys.className = "keys";
    div.append(h, keys);
    $("panels").append(div);
    const W = 560, H = 270, L = 58, R = 14, T = 8, B = 40;
    const svg = el("svg", { viewBox: "0 0 " + W + " " + H, role: "img", "aria-label": p.t }, div);
    const lines = p.l.map((l, i) => ({ name: l.n, i: i, x: l.x || l.y.map((_, k) => l.x0 + k * l.dx), y: l.y, lo: l.lo, hi: l.hi, on: true }));
    const known = v => v !== null && isFinite(v) && v !== undefined;
    let X, Y, fx, fy, xu, yu, tip = null;
    const draw = () => {
      svg.textContent = "";
      let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
      for (const l of lines) if (l.on) {
        for (const v of l.x) { x0 = Math.min(x0, v); x1 = Math.max(x1, v); }
        for (const of of [l.y, l.lo || [], l.hi || []]) for (const v of of) if (known(v)) { y0 = Math.min(y0, v); y1 = Math.max(y1, v); }
      }
      if (p.time) { x0 = 0; x1 = DATA.until; }
      if (!(x1 >= x0)) { x0 = 0; x1 = 1; }
      if (!(y1 >= y0)) { y0 = 0; y1 = 1; }
      const xl = p.xl && x0 > 0, yl = p.yl && y0 > 0;
      if (!xl && x0 > 0 && x0 < x1 / 4) x0 = 0;
      if (x1 === x0) { x0 -= xl ? x0 / 2 : 0.5; x1 += xl ? x1 : 0.5; }
      if (yl) { y0 = Math.pow(10, Math.floor(Math.log10(y0))); y1 = Math.pow(10, Math.ceil(Math.log10(y1) + 1e-9)); }
      else { if (y0 > 0) y0 = 0; y1 += (y1 - y0) * 0.05; if (y1 <= y0) y1 = y0 + 1; }
      [fx, xu] = prefix(p.xu, Math.max(Math.abs(x0), Math.abs(x1)));
      [fy, yu] = prefix(p.yu, Math.max(Math.abs(y0), Math.abs(y1)));
      const at = (v, a, b, log) => log ? Math.log(v / a) / Math.log(b / a) : (v - a) / (b - a);
      X = v => L + at(v, x0, x1, xl) * (W - L - R);
      Y = v => H - B - at(v, y0, y1, yl) * (H - T - B);
      for (const t of yl ? powers(y0, y1) : even(y0 * fy, y1 * fy, 6).map(v => v / fy)) {
        el("line", { x1: L, x2: W - R, y1: Y(t), y2: Y(t), class: "grid" }, svg);
        el("text", { x: L - 7, y: Y(t) + 4, "text-anchor": "end", class: "soft" }, svg, digits(t * fy));
      }
      for (const t of xl ? powers(x0, x1) : even(x0 * fx, x1 * fx, 8).map(v => v / fx)) {
        el("line", { x1: X(t), x2: X(t), y1: T, y2: H - B, class: "grid" }, svg);
        el("text", { x: X(t), y: H - B + 16, "text-anchor": "middle", class: "soft" }, svg, digits(t * fx));
      }
      el("line", { x1: L, x2: W - R, y1: H - B, y2: H - B, class: "axis" }, svg);
      el("line", { x1: L, x2: L, y1: T, y2: H - B, class: "axis" }, svg);
      el("text", { x: (L + W - R) / 2, y: H - 6, "text-anchor": "middle" }, svg, p.xn + (xu ? " (" + xu + ")" : ""));
      el("text", { transform: "translate(13," + (H - B + T) / 2 + ") rotate(-90)", "text-anchor": "middle" }, svg, p.yn + (yu ? " (" + yu + ")" : ""));
      for (const l of lines) {
        if (!l.on) continue;
        let d = "", pen = false;
        l.y.forEach((v, k) => {
          if (!known(v) || xl && l.x[k] <= 0) { pen = false; return; }
          d += (pen ? "L" : "M") + X(l.x[k]).toFixed(1) + " " + Y(v).toFixed(1);
          if (!pen && !known(l.y[k + 1])) d += "h0.5";
          pen = true;
          if (!p.time) el("circle", { cx: X(l.x[k]), cy: Y(v), r: 3, fill: colour(l.i) }, svg);
          if (l.lo && known(l.lo[k]) && known(l.hi[k]))
            el("path", { d: "M" + (X(l.x[k]) - 4) + " " + Y(l.lo[k]) + "h8m-4 0V" + Y(l.hi[k]) + "m-4 0h8", stroke: colour(l.i), "stroke-width": 1.2, fill: "none" }, svg);
        });
        el("path", { d: d || "M0 0", fill: "none", stroke: colour(l.i), "stroke-width": 1.6, "stroke-dasharray": dash(l.i), "stroke-linejoin": "round", "stroke-linecap": "round" }, svg);
      }
      if (p.time) {
        const cursor = el("line", { y1: T, y2: H - B, class: "now" }, svg);
        const move = t => { cursor.setAttribute("x1", X(t)); cursor.setAttribute("x2", X(t)); };
        div.move = move;
        move(now);
      }
    };
    lines.forEach(l => {
      const b = document.createElement("button");
      b.type = "button";
      b.setAttribute("aria-pressed", "true");
      const s = el("svg", { width: 18, height: 8, viewBox: "0 0 18 8", style: "width:18px" }, b);
      el("line", { x1: 0, x2: 18, y1: 4, y2: 4, stroke: colour(l.i), "stroke-width": 2.4, "stroke-dasharray": dash(l.i) }, s);
      b.append(l.name);
      b.addEventListener("click", () => { l.on = !l.on; b.setAttribute("aria-pressed", String(l.on)); draw(); });
      if (lines.length > 1 || l.name) keys.append(b);
    });
    if (p.note) {
      const note = document.createElement("p");
      note.className = "note";
      note.textContent = p.note;
      div.append(note);
    }
    draw();
    if (p.time) watchers.push(t => div.move(t));
    const place = e => {
      const box = svg.getBoundingClientRect();
      return (e.clientX - box.left) / box.width * W;
    };
    svg.addEventListener("pointermove", e => {
      const x = place(e), found = [];
      for (const l of lines) {
        if (!l.on || !l.x.length) continue;
        let best = 0;
        for (let k = 1; k < l.x.length; k++) if (Math.abs(X(l.x[k]) - x) < Math.abs(X(l.x[best]) - x)) best = k;
        if (Math.abs(X(l.x[best]) - x) < 24 && known(l.y[best])) found.push([l, best]);
      }
      if (tip) tip.remove();
      tip = null;
      if (!found.length) return;
      tip = document.createElement("div");
      tip.className = "tip";
      tip.append(p.xn + " " + measure(found[0][0].x[found[0][1]], p.xu));
      for (const [l, k] of found.slice(0, 12)) {
        const row = document.createElement("div");
        row.style.color = colour(l.i);
        row.textContent = (l.name || p.yn) + ": " + measure(l.y[k], p.yu) + (l.lo && known(l.lo[k]) ? " (" + measure(l.lo[k], p.yu) + " … " + measure(l.hi[k], p.yu) + ")" : "");
        tip.append(row);
      }
      div.append(tip);
      const box = svg.getBoundingClientRect(), left = x / W * box.width;
      tip.style.top = svg.offsetTop + 10 + "px";
      if (left > box.width / 2) tip.style.right = box.width - left + 14 + "px"; else tip.style.left = left + 14 + "px";
    });
    svg.addEventListener("pointerleave", () => { if (tip) tip.remove(); tip = null; });
    if (p.time) svg.addEventListener("click", e => {
      const x = place(e);
      setNow((x - L) / (W - L - R) * DATA.until);
    });
  };

  // Tables sort by a click on a column's head.
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((th, i) => {
      const numeric = th.classList.contains("n");
      if (numeric) for (const row of body.rows) row.cells[i].classList.add("n");
      th.firstChild.addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") === "ascending";
        heads.forEach(x => x.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = row => { const c = row.cells[i], s = c.dataset.s === undefined ? c.textContent : c.dataset.s; return numeric ? Number(s) : s; };
        const rows = [...body.rows].sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
        body.append(...rows);
      });
    });
  }

  drawMap();
  if (DATA.panels.length) {
    $("plots").hidden = false;
    DATA.panels.forEach(drawPanel);
  }
  if (watchers.length && DATA.until > 0) {
    $("timeline").hidden = false;
    $("time").max = String(steps);
    $("time").addEventListener("input", () => { play(false); setNow(Number($("time").value) / steps * DATA.until); });
    $("play").addEventListener("click", () => play(!playing));
    play(false);
    setNow(DATA.until / 2);
  }
})();
