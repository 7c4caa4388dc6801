// Replays one training run, or two beside each other: a map of points, one row of attention, and curves, all at one
// moment. Everything is in the page once a recording has come. Texts come from Python, and none is read as markup.
const PACE = 380, SLOW_PACE = 1000; // milliseconds from one moment to the next; slow where motion is unwelcome

const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const isStill = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

let choices = [], shown = ["", ""], known = new Map();
let moment = 0, drawnAt = 0; // the moment that is chosen, and, on the way to it, the one that is drawn
let head = 0, query = 0, chosenClass = null, timer = null, frame = null, pointed = null;

async function begin() {
  let value;
  try {
    const said = new URLSearchParams(location.search);
    value = await server.fetch_recording({ what: "opening", name: said.get("recording"), beside: said.get("beside") });
  } catch {
    part(".waiting").textContent = part(".waiting").dataset.failed;
    return;
  }
  ({ phrases, choices } = value);
  shown = [value.first, value.second];
  for (const one of value.recordings) keep(one);
  const recording = known.get(shown[0]);
  if (!recording) return;
  const [rows, columns] = recording.grid;
  query = 1 + Math.floor(rows / 2) * columns + Math.floor(columns / 2);
  for (const [i, select] of [part(".first"), part(".second")].entries()) {
    select.replaceChildren(...(i ? [{ name: "", title: phrases.none }] : []).concat(choices).map(({ name, title }) => {
      const option = made("option", "", title);
      option.value = name;
      option.selected = name === shown[i];
      return option;
    }));
  }
  part(".replay").hidden = false;
  part(".waiting").hidden = true;
  moment = drawnAt = recording.steps.length - 1;
  arrange();
}

function keep(one) {
  known.set(one.name, {
    ...one,
    positions: new Uint16Array(bytes(one.positions).buffer),
    attention: bytes(one.attention),
    peaks: new Uint16Array(bytes(one.peaks).buffer),
    image: Object.assign(new Image(), { onload: draw, src: one.picture }),
  });
}

const recordings = () => shown.map((name) => known.get(name)).filter(Boolean);
const main = () => known.get(shown[0]);
const steps = () => main().steps;

// Another recording may have been looked at after other steps: the last moment that is not later.
function momentOf(recording, at = moment) {
  if (recording === main()) return at;
  const step = steps()[Math.round(at)];
  return Math.max(recording.steps.findLastIndex((one) => one <= step), 0);
}

// What stands on the page for the recordings that are chosen ------------------------------------------------------------

function arrange() {
  const all = recordings();
  part(".sides").classList.toggle("two", all.length > 1);
  parts(".side").forEach((side, i) => {
    const recording = known.get(shown[i]);
    side.hidden = !recording;
    if (!recording) return;
    part(".title", side).textContent = recording.title;
    part(".title", side).className = `title ${i ? "dashed" : "solid"}`;
    part(".what", side).textContent = recording.description;
    part(".map canvas", side).setAttribute("aria-label", fill(phrases.map_label, {
      items: recording.labels.length, classes: recording.classes.join(", "),
    }));
    part(".gaze canvas", side).setAttribute("aria-valuemax", recording.grid[0] * recording.grid[1]);
  });
  parts(".source").forEach((source, i) => {
    const recording = known.get(shown[i]);
    source.hidden = !recording;
    if (!recording) return;
    part(".of", source).textContent = recording.title;
    part(".facts", source).textContent = recording.facts;
    for (const button of parts("[data-file]", source)) {
      button.textContent = phrases[button.dataset.file];
      button.setAttribute("aria-label", `${phrases[button.dataset.file]}: ${recording.title}`);
    }
  });
  part(".same").hidden = all.length < 2;
  const scrub = part(".scrub");
  scrub.max = steps().length - 1;
  scrub.value = moment;
  part(".told").textContent = phrases.start;
  part(".of-token").setAttribute("aria-pressed", query === 0);
  arrangeHeads();
  arrangeClasses();
  arrangeKey();
  arrangeCurves();
  if (part("details").open) fillTable();
  setPlaying(timer !== null);
  tell();
  draw();
}

function arrangeHeads() {
  const place = part(".heads");
  parts("button", place).forEach((button) => button.remove());
  for (let i = 0; i < main().heads; i++) {
    const button = made("button", "", String(i + 1));
    button.type = "button";
    button.dataset.head = i;
    button.setAttribute("aria-pressed", i === head);
    place.append(button);
  }
}

function arrangeClasses() {
  part(".kinds").replaceChildren(...main().classes.map((name, i) => {
    const item = made("li"), button = made("button"), sign = made("canvas", "sign");
    sign.ariaHidden = "true"; // it has its words beside it
    button.type = "button";
    button.dataset.kind = i;
    button.setAttribute("aria-pressed", i === chosenClass);
    const context = sized(sign, 14, 14);
    mark(context, 7, 7, 5, i);
    button.append(sign, made("span", "", name));
    item.append(button);
    return item;
  }));
}

function arrangeKey() {
  part(".key").replaceChildren(
    ...methodKey(),
    ...(shown[1] ? recordings().map((one, i) => keyEntry("currentColor", i ? "dashed" : "solid", one.title)) : []),
  );
}

// Drawing ----------------------------------------------------------------------------------------------------------------

function draw() {
  if (frame !== null) return;
  frame = requestAnimationFrame(() => {
    frame = null;
    if (!main() || !part(".replay")?.clientWidth) return;
    const look = lookOf(), most = mostOf();
    parts(".side").forEach((side, i) => {
      const recording = known.get(shown[i]);
      if (!recording) return;
      drawMap(part(".map canvas", side), recording, look);
      drawAttention(part(".gaze canvas", side), recording, most);
      caption(side, recording, most);
    });
    const figures = parts(".curves figure");
    curves().forEach((curve, i) => figures[i] && drawCurve(figures[i], curve, look));
  });
}

// Words ------------------------------------------------------------------------------------------------------------------

const placeName = (recording, place) => (place
  ? fill(phrases.patch, { row: 1 + Math.floor((place - 1) / recording.grid[1]), column: 1 + ((place - 1) % recording.grid[1]) })
  : phrases.token);

function caption(side, recording, most) {
  const at = momentOf(recording);
  part(".map figcaption", side).textContent = fill(phrases.map, { share: percent(recording.numbers.explained[at]) });
  part(".gaze figcaption", side).textContent =
    `${fill(phrases.attention, { head: head + 1, place: placeName(recording, query) })} ${fill(phrases.peak, { peak: percent(most) })}`;
}

function tell() {
  const end = steps().at(-1);
  part(".at").textContent = part(".scrub").ariaValueText = fill(phrases.step, { step: steps()[moment], steps: end });
  part(".now").textContent = recordings().map((recording) => {
    const at = momentOf(recording), value = (name) => recording.numbers[name][at];
    const far = Object.keys(recording.numbers).filter((name) => name.startsWith("distance")).map((name) => plain(value(name)));
    return fill(phrases.now, {
      title: recording.title, step: recording.steps[at], loss: plain(value("loss")), tau: tauText(value("tau")),
      target: plain(value("target_spread")), prediction: plain(value("prediction_spread")),
      rank: plain(value("effective_rank_student")), knn: percent(value("knn_student")), chance: percent(recording.chance),
      far: far.join(", "),
    });
  }).join(" ");
  for (const row of parts("tbody tr")) row.toggleAttribute("aria-current", Number(row.dataset.step) === steps()[moment]);
}

function tellQuery() {
  part(".told").textContent = recordings().map((recording) => {
    const row = rowOf(recording), best = row.indexOf(Math.max(...row.slice(1)), 1);
    const said = fill(phrases.query, {
      place: placeName(recording, query), best: placeName(recording, best), share: percent(row[best]), token: percent(row[0]),
    });
    return shown[1] ? `${recording.title}: ${said}` : said;
  }).join(" ");
}

// How one moves ----------------------------------------------------------------------------------------------------------

function go(to) {
  const next = clamp(Math.round(to), 0, steps().length - 1);
  if (next === moment) return;
  moment = next;
  part(".scrub").value = moment;
  if (timer === null || isStill()) drawnAt = moment;
  tell();
  draw();
}

function setPlaying(isPlaying) {
  part(".play .sign").textContent = isPlaying ? "❚❚" : "▶";
  part(".play .word").textContent = isPlaying ? phrases.pause : phrases.play;
  part(".now").setAttribute("aria-live", isPlaying ? "off" : "polite"); // nobody can listen to every moment
}

function pause() {
  if (timer === null) return;
  cancelAnimationFrame(timer);
  timer = null;
  drawnAt = moment;
  setPlaying(false);
  tell();
  draw();
}

function play() {
  if (moment === steps().length - 1) { moment = drawnAt = 0; part(".scrub").value = 0; }
  const start = moment, began = performance.now(), pace = isStill() ? SLOW_PACE : PACE;
  const tick = (now) => {
    if (!element.isConnected) return;
    const at = Math.min(start + (now - began) / pace, steps().length - 1);
    if (!isStill()) { drawnAt = at; draw(); }
    go(Math.floor(at));
    if (at >= steps().length - 1) { pause(); return; }
    timer = requestAnimationFrame(tick);
  };
  timer = requestAnimationFrame(tick);
  setPlaying(true);
}

async function choose(index, name) {
  if (name && !known.has(name)) {
    try {
      keep(await server.fetch_recording({ name, what: "drawn" }));
    } catch {
      part(".told").textContent = phrases.failed;
      return;
    }
  }
  const step = steps()[moment];
  shown[index] = name;
  if (index === 0) {
    const at = main().steps.findLastIndex((one) => one <= step);
    moment = drawnAt = Math.max(at, 0);
    head = Math.min(head, main().heads - 1);
  }
  pointed = null;
  lab.keep(["training"], { recording: shown[0], beside: shown[1] });
  arrange();
}

async function download(name, what) {
  try {
    const { file, content } = await server.fetch_recording({ name, what });
    offer(bytes(content), file);
  } catch {
    part(".told").textContent = phrases.failed;
  }
}

function ask(place) {
  query = clamp(place, 0, main().grid[0] * main().grid[1]);
  part(".of-token").setAttribute("aria-pressed", query === 0);
  tellQuery();
  draw();
}

const sideOf = (target) => parts(".side").indexOf(target.closest(".side"));
const patchAt = (event, recording) => {
  const box = event.target.getBoundingClientRect(), [rows, columns] = recording.grid;
  const column = clamp(Math.floor(((event.clientX - box.left) / box.width) * columns), 0, columns - 1);
  return 1 + clamp(Math.floor(((event.clientY - box.top) / box.height) * rows), 0, rows - 1) * columns + column;
};

element.addEventListener("click", (event) => {
  if (!main()) return;
  const target = event.target, button = target.closest?.("button");
  if (target.matches(".gaze canvas")) ask(patchAt(event, known.get(shown[sideOf(target)])));
  else if (target.matches(".curves canvas")) scrubTo(event);
  else if (button?.matches(".play")) timer === null ? play() : pause();
  else if (button?.matches(".of-token")) ask(0);
  else if (button?.dataset.head !== undefined) {
    head = Number(button.dataset.head);
    parts("[data-head]").forEach((one, i) => one.setAttribute("aria-pressed", i === head));
    ask(query);
  } else if (button?.dataset.kind !== undefined) {
    const kind = Number(button.dataset.kind);
    chosenClass = chosenClass === kind ? null : kind;
    parts("[data-kind]").forEach((one, i) => one.setAttribute("aria-pressed", i === chosenClass));
    draw();
  } else if (button?.dataset.file) download(shown[parts(".source").indexOf(button.closest(".source"))], button.dataset.file);
});
element.addEventListener("input", (event) => {
  if (!main() || !event.target.matches(".scrub")) return;
  pause();
  go(Number(event.target.value));
});
element.addEventListener("change", (event) => {
  if (!main()) return;
  if (event.target.matches("select")) choose(event.target.matches(".first") ? 0 : 1, event.target.value);
  else if (event.target.matches(".same input")) draw();
});
element.addEventListener("keydown", (event) => {
  if (!main() || !event.target.matches?.(".gaze canvas") || event.ctrlKey || event.metaKey || event.altKey) return;
  const columns = main().grid[1], places = main().grid[0] * columns;
  const to = {
    ArrowLeft: query - 1, ArrowRight: query + 1, Home: 0, End: places,
    ArrowUp: query > columns ? query - columns : query, ArrowDown: query + columns <= places ? Math.max(query + columns, 1) : query,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  ask(to);
});
part("details").addEventListener("toggle", (event) => { if (event.target.open && main()) { fillTable(); tell(); } });

function scrubTo(event) {
  const box = event.target.getBoundingClientRect(), index = parts(".curves canvas").indexOf(event.target);
  const names = curves()[index]?.of !== undefined ? NAMES : 0;
  const share = clamp((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT - names), 0, 1);
  const step = share ** 2 * steps().at(-1), far = steps().map((one) => Math.abs(Math.sqrt(one) - Math.sqrt(step)));
  pause();
  go(far.indexOf(Math.min(...far)));
}

element.addEventListener("pointermove", (event) => {
  if (!main()) return;
  if (event.target.matches?.(".curves canvas") && event.buttons & 1) { scrubTo(event); return; }
  if (event.target.matches?.(".gaze canvas")) {
    const recording = known.get(shown[sideOf(event.target)]), place = patchAt(event, recording);
    event.target.title = fill(phrases.weight, { place: placeName(recording, place), share: percent(rowOf(recording)[place]) });
    return;
  }
  if (!event.target.matches?.(".map canvas")) { point(null); return; }
  const recording = known.get(shown[sideOf(event.target)]), box = event.target.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  const far = recording.drawn.map(([a, b]) => Math.hypot(a - x, b - y)), nearest = far.indexOf(Math.min(...far));
  point(far[nearest] < 14 ? { recording, item: nearest } : null);
});
element.addEventListener("pointerleave", () => point(null));

function point(next) {
  if (pointed?.item === next?.item && pointed?.recording === next?.recording) return;
  pointed = next;
  part(".told").textContent = next ? fill(phrases.point_is, { name: next.recording.classes[next.recording.labels[next.item]] }) : phrases.start;
  draw();
}

redrawn(draw);
begin();
