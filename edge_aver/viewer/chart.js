// The two drawings of the page, each as wide as the place it is given: probabilities over time, and stages in a row.

const SPACE = "http://www.w3.org/2000/svg";
const ROW = 30, BAR = 22;

export const percent = (value) => `${(100 * value).toFixed(1)} %`;
export const milliseconds = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;

export function drawProbabilities(svg, { labels, seen, chosen, duration, pick }) {
  const width = begin(svg, labels.length * ROW + 24);
  const left = 78, right = width - 62, top = topOf(seen[chosen].probabilities);
  const x = (seconds) => left + (right - left) * Math.min(seconds / duration, 1);
  const spans = seen.map((one, i) => [x(i ? between(seen[i - 1], one) : 0), x(i + 1 < seen.length ? between(one, seen[i + 1]) : ended(one, duration))]);
  const bottom = labels.length * ROW;
  if (seen.length > 1) add(svg, "rect", { class: "chosen", x: spans[chosen][0], width: spans[chosen][1] - spans[chosen][0], y: 0, height: bottom });
  labels.forEach((label, row) => {
    const base = (row + 1) * ROW - 4;
    add(svg, "line", { class: "base", x1: left, x2: right, y1: base + 0.5, y2: base + 0.5 });
    seen.forEach((one, i) => {
      const share = one.probabilities[label] ?? 0, height = share * BAR, [from, to] = spans[i];
      if (height > 0.2) {
        const kind = label === topOf(one.probabilities) ? "best" : "other";
        add(svg, "rect", { class: kind, x: from, width: Math.max(to - from - (i + 1 < seen.length ? 1 : 0), 1), y: base - height, height });
      }
    });
    const strong = label === top ? "top" : "";
    add(svg, "text", { class: strong, x: left - 8, y: base - 5, "text-anchor": "end" }, label);
    const value = seen[chosen].probabilities[label];
    add(svg, "text", { class: strong, x: width, y: base - 5, "text-anchor": "end" }, value === undefined ? "–" : percent(value));
  });
  seen.forEach((one, i) => {
    if (!one.label) add(svg, "rect", { class: "blank", x: spans[i][0], width: spans[i][1] - spans[i][0], y: 0, height: bottom });
  });
  ticks(svg, x, duration, bottom, (right - left) / 60);
  svg.onclick = (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    const hit = spans.findIndex(([from, to]) => at >= from && at <= to);
    if (hit >= 0) pick(hit);
  };
  svg.classList.toggle("pick", seen.length > 1);
}

export function drawStages(svg, { stages, total }) {
  const names = Object.keys(stages), width = begin(svg, names.length * ROW);
  const left = 64, right = width - 64;
  let before = 0;
  names.forEach((name, row) => {
    const y = row * ROW + 4, from = left + (right - left) * before / total;
    const long = (right - left) * stages[name] / total;
    add(svg, "line", { class: "base", x1: left, x2: right, y1: y + BAR / 2, y2: y + BAR / 2 });
    add(svg, "rect", { class: "best", x: from, width: Math.max(long, 1.5), y: y + 2, height: BAR - 4 });
    add(svg, "text", { x: left - 8, y: y + 16, "text-anchor": "end" }, name);
    add(svg, "text", { x: width, y: y + 16, "text-anchor": "end" }, milliseconds(stages[name]));
    before += stages[name];
  });
}

function begin(svg, height) {
  const width = Math.max(svg.parentElement.clientWidth, 200);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return width;
}

function add(svg, name, values, text) {
  const part = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(values)) part.setAttribute(key, value);
  if (text !== undefined) part.textContent = text;
  svg.append(part);
}

function ticks(svg, x, duration, bottom, most) {
  const step = [0.5, 1, 2, 5, 10, 20, 30, 60].find((one) => duration / one <= most) ?? 60;
  for (let at = 0; at <= duration + 1e-9; at += step) {
    add(svg, "line", { class: "base", x1: x(at), x2: x(at), y1: bottom, y2: bottom + 5 });
    add(svg, "text", { class: "muted", x: x(at), y: bottom + 19, "text-anchor": "middle" }, at ? `${at}` : "0 s");
  }
}

const middle = (one) => (one.start_s + one.end_s) / 2;
const between = (one, next) => (middle(one) + middle(next)) / 2;
const ended = (one, duration) => (one.end_s >= duration - 0.2 ? duration : middle(one) + 0.6);
const topOf = (shares) => Object.keys(shares).reduce((best, label) => (shares[label] > (shares[best] ?? -1) ? label : best), null);
