// The page: takes a clip, sends it, and shows what comes back line by line.

import { drawProbabilities, drawStages, milliseconds, percent } from "/chart.js";

const by = (id) => document.getElementById(id);
const seconds = (value) => `${value.toFixed(1)} s`;
let network = null, running = null, clip = null, seen = [], chosen = 0, follows = true;

async function start() {
  let answer;
  try {
    answer = await fetch("/network");
    network = await answer.json();
  } catch {
    return complain("The server does not answer: is edge-aver demo --serve still running?");
  }
  if (!answer.ok) return complain(sentence(network.message));
  by("network").textContent =
    `${network.artifact}: architecture ${network.architecture}, ${network.precision}, on ${network.target}. ` +
    "The clip goes to this server alone, and is removed once it was looked at.";
  by("limits").textContent =
    `A face and a voice, in any usual format; up to ${(network.largest_bytes / 1e6).toFixed(0)} MB and ${network.longest_s} seconds.`;
  by("note").textContent = network.note ?? "";
  by("note").hidden = !network.note;
  describe(by("precision"), [
    ["Precision", network.precision],
    ["Target", `${network.target} (${network.runtime})`],
    ["Executed", executed(network.executed_precisions)],
    ["Artifact", network.artifact],
    ["Trained on", `${network.corpus}, fold ${network.fold}`],
  ]);
}

function executed(layers) {
  const kinds = Object.entries(layers).sort(([, a], [, b]) => b - a);
  return kinds.length
    ? kinds.map(([kind, count]) => `${count} layer${count === 1 ? "" : "s"} in ${kind}`).join(", ")
    : "the runtime does not tell";
}

function describe(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([term, text]) => [make("dt", term), make("dd", text)]));
}

function make(name, text, values = {}) {
  const part = document.createElement(name);
  part.textContent = text;
  for (const [key, value] of Object.entries(values)) part.setAttribute(key, value);
  return part;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

function complain(text) {
  by("problem").textContent = text;
  by("status").textContent = "";
}

async function look(file) {
  running?.abort();
  const mine = running = new AbortController();
  Object.assign(by("result"), { hidden: true });
  seen = [], chosen = 0, follows = true, clip = null;
  by("problem").textContent = "";
  if (network && file.size > network.largest_bytes) {
    running = null;
    return complain(`${file.name} has ${(file.size / 1e6).toFixed(0)} MB; this page takes up to ${(network.largest_bytes / 1e6).toFixed(0)} MB.`);
  }
  busy(true);
  by("status").textContent = `Sending ${file.name} …`;
  try {
    await send(file, mine);
  } catch (error) {
    if (mine === running) {
      complain(error.name === "AbortError" ? "" : (error.told ?? "The connection to the server broke: is it still running?"));
      if (error.name === "AbortError") by("status").textContent = "Stopped.";
    }
  }
  if (mine === running) {
    running = null;
    busy(false);
  }
}

async function send(file, mine) {
  const answer = await fetch("/clip", {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/octet-stream" },
    signal: mine.signal,
  });
  if (!answer.ok) {
    const { message } = await answer.json();
    throw Object.assign(new Error(message), { told: sentence(`${file.name}: ${message}`) });
  }
  let ended = false;
  for await (const event of lines(answer.body.pipeThrough(new TextDecoderStream()).getReader())) {
    if (mine !== running) return;
    ended = take(event, file) || ended;
  }
  if (!ended) throw new Error("the answer ends early");
}

async function* lines(reader) {
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const parts = (rest + piece.value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

// True for the event after which nothing comes.
function take(event, file) {
  if (event.event === "waiting") {
    by("status").textContent = "Waiting for another clip …";
  } else if (event.event === "clip") {
    clip = { ...event, name: file.name };
    by("status").textContent = event.windows > 1 ? `Looking at ${event.windows} windows …` : "Looking at the clip …";
    Object.assign(by("progress"), { max: event.windows, value: 0 });
  } else if (event.event === "window") {
    seen.push(event);
    by("progress").value = seen.length;
    if (follows) chosen = seen.length - 1;
    if (seen.some((one) => one.label)) show();
  } else if (event.event === "end") {
    if (follows) chosen = Math.max(0, seen.findIndex((one) => one.label === event.label));
    show(event);
    by("status").textContent = `Done: ${event.label}, ${percent(event.probabilities[event.label])}.`;
    return true;
  } else {
    complain(sentence(`${file.name}: ${event.message}`));
    return true;
  }
  return false;
}

function busy(is) {
  by("progress").hidden = by("stop").hidden = !is;
  if (is) by("progress").removeAttribute("value");
}

let answered = null;

function show(end = null) {
  answered = end;
  by("result").hidden = false;
  const faced = seen.filter((one) => one.label).length;
  by("answer").textContent = end ? `${end.label}, ${percent(end.probabilities[end.label])}` : "Looking …";
  const how = seen.length > 1 ? `; the mean over ${faced} of ${seen.length} windows of ${seconds(clip.window_s)}, one every ${seconds(clip.hop_s)}` : "";
  by("told").textContent = `${clip.name}, ${seconds(clip.duration_s)}${how}.`;
  by("picker").hidden = clip.windows < 2;
  Object.assign(by("window"), { max: seen.length - 1, value: chosen });
  table();
  draw();
}

function draw() {
  if (by("result").hidden || !seen.length) return;
  const one = seen[chosen], found = one.frames.filter((frame) => frame.found).length;
  const short = clip.duration_s < clip.window_s;
  const duration = Math.max(clip.duration_s, Math.min(clip.window_s, 0.5));
  drawProbabilities(by("chart"), { labels: network.labels, seen, chosen, duration, pick: choose });
  by("chart-told").textContent = one.label
    ? `${span(one)}: ${one.label}, ${percent(one.probabilities[one.label])}.${short ? " The rest of the window is black and silent." : ""}`
    : `${span(one)}: no face, so nothing is recognised.`;
  if (one.label && seen.some((other) => !other.label)) by("chart-told").textContent += " Shaded: windows without a face.";
  by("window-told").textContent = `${chosen + 1} of ${seen.length}: ${span(one)}`;
  by("window").setAttribute("aria-valuetext", by("window-told").textContent);
  by("faces-title").textContent = `Sampled faces: ${found} of ${one.frames.length}`;
  by("faces").replaceChildren(...one.frames.map(face));
  drawStages(by("stages"), { stages: one.stages_s, total: one.total_s });
  by("stages-told").textContent = `${milliseconds(one.total_s)} in all: ${Object.entries(one.stages_s).map(([name, time]) => `${name} ${milliseconds(time)}`).join(", ")}.`;
  [...by("rows").rows].forEach((row, i) => row.classList.toggle("chosen-row", seen.length > 1 && i === chosen));
}

const span = (one) => `${one.start_s.toFixed(1)} to ${seconds(Math.min(one.end_s, Math.max(clip.duration_s, 0.1)))}`;

function face(frame) {
  const item = document.createElement("li"), time = `${frame.time_s.toFixed(2)} s`;
  item.append(frame.found ? make("img", "", { src: frame.picture, alt: `Face at ${time}` }) : make("span", "no face", { class: "none" }));
  item.append(time);
  return item;
}

function table() {
  const stages = ["decode", "faces", "audio", "network"];
  by("heads").replaceChildren(
    ...["window", "faces", ...network.labels, ...stages.map((name) => `${name}, ms`), "all, ms"].map((name) => make("th", name, { scope: "col" })),
  );
  by("rows").replaceChildren(...seen.map((one) => {
    const row = document.createElement("tr");
    row.append(make("th", span(one), { scope: "row" }), make("td", `${one.frames.filter((frame) => frame.found).length} of ${one.frames.length}`));
    for (const label of network.labels) row.append(number(one.probabilities[label], 100));
    for (const name of stages) row.append(number(one.stages_s[name], 1000));
    row.append(number(one.total_s, 1000));
    return row;
  }));
}

const number = (value, scale) => (value === undefined ? make("td", "–") : make("td", (scale * value).toFixed(1), { "data-v": value }));

function choose(index) {
  chosen = index, follows = false;
  by("window").value = index;
  draw();
}

by("file").addEventListener("change", () => by("file").files.length && look(by("file").files[0]));
by("file").addEventListener("click", () => { by("file").value = ""; });  // so that the same file can be chosen again
by("stop").addEventListener("click", () => running?.abort());
by("window").addEventListener("input", () => choose(Number(by("window").value)));
// A clip dropped beside the box counts too: else the browser would leave the page for it.
addEventListener("dragover", (event) => { event.preventDefault(); by("drop").classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) by("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  by("drop").classList.remove("over");
  const file = event.dataTransfer.files[0];
  if (file) look(file);
  else complain("What was dropped is no file.");
});
new ResizeObserver(draw).observe(by("result"));
start();
