// Lanes of stretches along a recording: a click, or Enter, plays a stretch, and a line shows where the sound is.
// `js_on_load` of a gr.HTML: `element`, `props` and `watch` are given.

const find = (name) => element.querySelector(`.turns-${name}`);

let given = null;
let stretches = []; // of all lanes, by their start
let chosen = 0;
let stopAt = Infinity; // where the stretch that is played ends
let isFollowing = false;

const blocks = () => [...element.querySelectorAll(".turns-block")];
const added = (kind, className, parent) => parent.appendChild(made(kind, className));
const block = (i) => element.querySelector(`.turns-block[data-i="${i}"]`);

function about({ name, start, end }) {
  const values = { name, start: start.toFixed(2), end: end.toFixed(2), length: (end - start).toFixed(2) };
  return fill(given.texts.about, values);
}

function layOut() {
  const place = find("lanes"), share = (seconds) => `${(100 * seconds) / given.duration}%`;
  place.replaceChildren();
  stretches = given.lanes
    .flatMap((lane, row) => lane.stretches.map(([start, end]) => ({ row, start, end, name: lane.name, colour: lane.colour })))
    .sort((one, other) => one.start - other.start || one.row - other.row);
  given.lanes.forEach((lane, row) => {
    const line = added("div", "turns-lane", place);
    added("span", "turns-who", line).textContent = lane.name;
    const track = added("div", "turns-track", line);
    stretches.forEach((one, i) => {
      if (one.row !== row) return;
      const bar = added("button", one.colour ? "turns-block" : "turns-block hatched", track);
      bar.type = "button";
      bar.dataset.i = i;
      bar.tabIndex = i === chosen ? 0 : -1;
      bar.style.left = share(one.start);
      bar.style.width = share(one.end - one.start);
      if (one.colour) bar.style.background = one.colour;
      bar.setAttribute("aria-label", about(one));
    });
    added("span", "turns-head", track).setAttribute("aria-hidden", "true");
  });
  const axis = added("div", "turns-lane", place);
  axis.setAttribute("aria-hidden", "true");
  added("span", "turns-who", axis);
  const ticks = added("div", "turns-ticks", axis);
  const step = [0.5, 1, 2, 5, 10, 30, 60, 300].find((one) => given.duration / one <= 8) ?? 900;
  for (let at = 0; at < given.duration; at += step) {
    const tick = added("span", "turns-tick", ticks);
    tick.style.left = share(at);
    tick.textContent = at;
  }
}

function light() {
  const sound = find("sound"), now = sound.currentTime;
  if (now >= stopAt && !sound.paused) {
    stopAt = Infinity;
    sound.pause();
  }
  const left = `${Math.min(100, (100 * now) / given.duration)}%`;
  const isMoved = now > 0;
  for (const head of element.querySelectorAll(".turns-head")) {
    head.style.left = left;
    head.hidden = !isMoved;
  }
  blocks().forEach((bar) => {
    const one = stretches[bar.dataset.i];
    bar.classList.toggle("now", isMoved && one.start <= now && now < one.end);
  });
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

function play(start, end = Infinity) {
  const sound = find("sound");
  sound.currentTime = start;
  stopAt = end;
  sound.play().catch(() => {}); // what cannot be played says so by its error
}

function choose(i) {
  if (!stretches.length) return;
  block(chosen)?.setAttribute("tabindex", "-1");
  chosen = Math.min(stretches.length - 1, Math.max(0, i));
  block(chosen).setAttribute("tabindex", "0");
  block(chosen).focus();
}

function nearestInLane(i, way) {
  // the stretch of the next lane, above or below, whose middle is nearest
  const middle = (one) => (one.start + one.end) / 2;
  const rows = stretches.map((one) => one.row).filter((row) => (row - stretches[i].row) * way > 0);
  if (!rows.length) return i;
  const row = way > 0 ? Math.min(...rows) : Math.max(...rows);
  return stretches.reduce((best, one, j) => {
    if (one.row !== row) return best;
    const distance = (each) => Math.abs(middle(stretches[each]) - middle(stretches[i]));
    return best === i || distance(j) < distance(best) ? j : best;
  }, i);
}

const KEYS = {
  ArrowRight: (i) => choose(i + 1),
  ArrowLeft: (i) => choose(i - 1),
  ArrowDown: (i) => choose(nearestInLane(i, 1)),
  ArrowUp: (i) => choose(nearestInLane(i, -1)),
  Home: () => choose(0),
  End: () => choose(stretches.length - 1),
};

const indexOf = (event) => Number(event.target.closest?.(".turns-block")?.dataset.i ?? -1);
const tell = (event) => {
  const i = indexOf(event);
  if (i >= 0) find("line").textContent = about(stretches[i]);
};

element.addEventListener("click", (event) => { // Enter and the space bar click, too
  const i = indexOf(event);
  if (i >= 0) {
    choose(i);
    play(stretches[i].start, stretches[i].end);
  } else if (event.target.classList.contains("turns-track")) {
    play((event.offsetX / event.target.clientWidth) * given.duration);
  }
});
element.addEventListener("keydown", (event) => {
  const i = indexOf(event);
  if (i < 0 || !KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key](i);
});
element.addEventListener("focusin", tell);
element.addEventListener("pointerover", tell);

// events of the sound do not rise: they are met on their way down
element.addEventListener("play", follow, true);
for (const name of ["timeupdate", "seeked"]) element.addEventListener(name, () => given && light(), true);
element.addEventListener("error", (event) => { if (event.target === find("sound")) fault(true); }, true);
element.addEventListener("loadedmetadata", () => fault(false), true);

function fault(isFault) {
  find("fault").hidden = !isFault;
  find("sound").hidden = isFault;
}

function show() {
  given = props.value;
  if (!given?.lanes || !find("sound")) return;
  const sound = find("sound");
  chosen = 0;
  stopAt = Infinity;
  find("fault").textContent = given.texts.unplayable;
  fault(false);
  sound.setAttribute("aria-label", given.texts.player);
  if (sound.getAttribute("src") !== given.audio.url) sound.src = given.audio.url;
  find("lanes").setAttribute("aria-label", given.texts.lanes);
  find("line").textContent = given.texts.hint;
  layOut();
  light();
}

watch("value", show);
show();
