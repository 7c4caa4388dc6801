// A recording with its words: the word that is spoken lights up; a click, or Enter, plays from there.
// One listener of each kind serves all words, and the word of a time is found by halving, so an hour is no trouble.
// `js_on_load` of a gr.HTML: `element`, `props` and `watch` are given.

const find = (name) => element.querySelector(`.player-${name}`);
const HELD = 0.6; // seconds that a word stays lit after its last letter, unless the next one comes
const BREAK = 1.5; // seconds of silence after which a new paragraph begins
const LONGEST = 150; // words of a paragraph
const ROWS = 300; // of the table that are made at once
const SHORT = 40; // words that are few enough to be shown large

let texts = {};
let words = [];
let times = new Uint32Array(); // start and end of each word, in thousandths of a second
let sure = new Uint8Array(); // percent
let duration = 0;
let chosen = 0; // the word that the keyboard is at
let lit = -1;
let drawing = null; // the strip without its playhead
let isFollowing = false;

const start = (i) => times[2 * i] / 1000;
const end = (i) => times[2 * i + 1] / 1000;
const spans = () => find("words").querySelectorAll(".w");
const span = (i) => find("words").querySelector(`[data-i="${i}"]`);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const percent = (share) => fill(texts.percent, { number: String(share) });

function about(i) {
  const values = { word: words[i], start: start(i).toFixed(2), end: end(i).toFixed(2), share: percent(sure[i]) };
  return fill(texts.about, values);
}

function wordAt(seconds) {
  // the last word that has begun; -1 before the first
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start(middle) <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function layOut() {
  const place = find("words");
  const pieces = document.createDocumentFragment();
  let line = null;
  let count = 0;
  words.forEach((word, i) => {
    if (line === null || count >= LONGEST || start(i) - end(i - 1) >= BREAK) {
      line = document.createElement("p");
      count = 0;
      pieces.append(line);
    }
    const one = document.createElement("span");
    one.className = "w";
    one.textContent = word;
    one.dataset.i = i;
    one.tabIndex = i === chosen ? 0 : -1;
    one.setAttribute("role", "button");
    one.style.setProperty("--sure", sure[i]);
    line.append(one, " ");
    count += 1;
  });
  place.replaceChildren(pieces);
  place.classList.toggle("large", words.length <= SHORT);
}

function tabulate() {
  // rows are made when somebody wants to see them
  const place = find("table").querySelector(".box");
  if (!find("table").open || place.firstChild) return;
  const table = numbersTable(texts.table, texts.heads);
  const more = document.createElement("button");
  more.type = "button";
  more.className = "player-more";
  place.append(table, more);
  addRows();
}

function addRows() {
  const body = find("table").querySelector("tbody");
  const first = body.rows.length;
  const last = Math.min(words.length, first + ROWS);
  for (let i = first; i < last; i += 1) {
    body.append(tableRow([words[i], start(i).toFixed(2), end(i).toFixed(2), percent(sure[i])]));
  }
  const more = find("more");
  more.textContent = fill(texts.more, { count: String(words.length - last) });
  more.hidden = last === words.length;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  return duration < 100 ? String(+seconds.toFixed(1)) : `${Math.floor(whole / 60)}:${rest}`;
}

function drawStrip() {
  // all words along the clip, each as dark as the model is sure of it, over an axis in seconds
  const canvas = find("strip");
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width || !duration) return;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  drawing = document.createElement("canvas");
  drawing.width = canvas.width;
  drawing.height = canvas.height;
  const style = getComputedStyle(canvas);
  const pen = drawing.getContext("2d");
  pen.scale(scale, scale);
  const floor = height - 18;
  pen.fillStyle = style.getPropertyValue("--fill");
  words.forEach((_, i) => {
    pen.globalAlpha = 0.25 + (0.75 * sure[i]) / 100;
    const left = (start(i) / duration) * width;
    pen.fillRect(left, 4, Math.max(1, ((end(i) - start(i)) / duration) * width - 1), floor - 8);
  });
  pen.globalAlpha = 1;
  pen.fillStyle = style.color;
  pen.font = "11px system-ui, sans-serif";
  pen.fillRect(0, floor, width, 1);
  const room = Math.max(1, Math.floor(width / 70));
  const step = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800].find((each) => duration / each <= room) ?? 3600;
  for (let at = 0; at < duration; at += step) {
    pen.fillRect((at / duration) * width, floor, 1, 4);
    pen.fillText(clock(at), (at / duration) * width + 4, height - 3);
  }
  drawHead();
}

function drawHead() {
  const canvas = find("strip");
  if (!drawing) return;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(drawing, 0, 0);
  const left = (find("sound").currentTime / duration) * canvas.width;
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.fillRect(Math.min(left, canvas.width - 2), 0, 2, canvas.height - 18 * (window.devicePixelRatio || 1));
}

function light() {
  const now = find("sound").currentTime;
  const before = wordAt(now);
  const i = before >= 0 && now < end(before) + HELD ? before : -1;
  drawHead();
  if (i === lit) return;
  span(lit)?.classList.remove("now");
  span(lit)?.removeAttribute("aria-current");
  lit = i;
  const one = span(i);
  if (!one) return;
  one.classList.add("now");
  one.setAttribute("aria-current", "true");
  const place = find("words"); // scrolled by itself: the page stays where the visitor has it
  const box = place.getBoundingClientRect();
  const own = one.getBoundingClientRect();
  if (own.top < box.top || own.bottom > box.bottom) place.scrollTop += own.top - box.top - box.height / 3;
}

function follow() {
  // smooth while it plays; all other changes of the place are told by events
  if (isFollowing) return;
  isFollowing = true;
  const step = () => {
    const sound = find("sound");
    isFollowing = Boolean(sound?.isConnected && !sound.paused);
    if (!sound?.isConnected) return;
    light();
    if (isFollowing) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function play(seconds) {
  const sound = find("sound");
  sound.currentTime = Math.max(0, seconds);
  sound.play().catch(() => {}); // what cannot be played says so by its error
}

function choose(i) {
  if (!words.length) return;
  span(chosen)?.setAttribute("tabindex", "-1");
  chosen = Math.min(words.length - 1, Math.max(0, i));
  const one = span(chosen);
  one.setAttribute("tabindex", "0");
  one.focus();
}

function nextLine(i, way) {
  // the nearest word of the line above or below
  const all = spans();
  const here = all[i].getBoundingClientRect();
  let best = i;
  let top = null;
  for (let j = i + way; j >= 0 && j < all.length; j += way) {
    const there = all[j].getBoundingClientRect();
    if (Math.abs(there.top - here.top) < 2) continue;
    if (top === null) top = there.top;
    if (Math.abs(there.top - top) > 2) break;
    const distance = (each) => Math.abs(each.left - here.left);
    if (best === i || distance(there) < distance(all[best].getBoundingClientRect())) best = j;
  }
  return best;
}

const KEYS = {
  ArrowRight: (i) => choose(i + 1),
  ArrowLeft: (i) => choose(i - 1),
  ArrowDown: (i) => choose(nextLine(i, 1)),
  ArrowUp: (i) => choose(nextLine(i, -1)),
  Home: () => choose(0),
  End: () => choose(words.length - 1),
  Enter: (i) => play(start(i)),
  " ": (i) => (find("sound").paused ? play(start(i)) : find("sound").pause()),
};

const wordOf = (event) => Number(event.target.closest?.(".w")?.dataset.i ?? -1);
const tell = (event) => {
  const i = wordOf(event);
  if (i >= 0) find("line").textContent = about(i);
};

element.addEventListener("click", (event) => {
  const i = wordOf(event);
  if (i >= 0) {
    choose(i);
    play(start(i));
  } else if (event.target === find("more")) {
    addRows();
  } else if (event.target === find("strip")) {
    play((event.offsetX / event.target.clientWidth) * duration);
  }
});
element.addEventListener("keydown", (event) => {
  const i = wordOf(event);
  if (i < 0 || !(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key](i);
});
element.addEventListener("focusin", tell);
element.addEventListener("pointerover", tell);

// events of the sound and of the table do not rise: they are met on their way down
element.addEventListener("play", follow, true);
for (const name of ["timeupdate", "seeked"]) element.addEventListener(name, light, true);
element.addEventListener("error", (event) => { if (event.target === find("sound")) fault(true); }, true);
element.addEventListener("loadedmetadata", () => fault(false), true);
element.addEventListener("toggle", tabulate, true);
new ResizeObserver(() => element.isConnected && drawStrip()).observe(element);

function fault(isFault) {
  find("fault").hidden = !isFault;
  find("sound").hidden = isFault;
}

function show() {
  const given = props.value;
  if (!given || !find("sound")) return;
  const sound = find("sound");
  texts = given.texts;
  words = given.words ? given.words.split("\n") : [];
  times = new Uint32Array(bytes(given.times).buffer);
  sure = bytes(given.sure);
  duration = given.duration;
  chosen = 0;
  lit = -1;
  drawing = null;
  find("fault").textContent = texts.unplayable;
  fault(false);
  sound.setAttribute("aria-label", texts.player);
  if (sound.getAttribute("src") !== given.audio.url) sound.src = given.audio.url;
  find("words").setAttribute("aria-label", texts.words);
  find("strip").title = texts.strip;
  find("line").textContent = texts.hint;
  find("table").querySelector("summary").textContent = texts.table;
  find("table").querySelector(".box").setAttribute("aria-label", texts.table);
  find("table").querySelector(".box").replaceChildren();
  layOut();
  tabulate();
  drawStrip();
}

watch("value", show);
show();
