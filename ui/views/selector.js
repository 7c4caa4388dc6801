// Sliders for layer, head and position. `js_on_load` of a gr.HTML: `element`, `props`, `trigger` and `watch` are given.
// What is chosen is `lab.selected`; every inside view hears `lab-select` of the document, and may call `lab.select`.

const group = element.querySelector(".selector");
const names = ["layer", "head", "position"];
let sliders = {};
let later = 0;

const bounds = ({ layers, heads, labels, least }) => ({
  layer: [1, layers],
  head: [0, heads],
  position: [least, least + labels.length - 1],
});

// Of no model yet: nothing can be chosen, and what a link has chosen stays.
const isKnown = () => props.value.labels.length > 0;

function said(name, number) {
  if (!isKnown()) return "";
  const given = props.value, [, most] = bounds(given)[name];
  if (name === "head" && number === 0) return given.texts.all_heads;
  if (name === "position") return given.labels[number - given.least] ?? "";
  return fill(given.texts.of, { value: number, most });
}

function layOut() {
  group.replaceChildren();
  group.setAttribute("aria-label", props.value.texts.group);
  sliders = {};
  for (const name of names) {
    const label = document.createElement("label");
    const title = document.createElement("span");
    const slider = document.createElement("input");
    const told = document.createElement("output");
    title.textContent = props.value.texts[name];
    slider.type = "range";
    slider.step = 1;
    slider.dataset.name = name;
    label.append(title, slider, told);
    group.append(label);
    sliders[name] = [slider, told];
  }
}

function show() {
  const limits = bounds(props.value);
  for (const name of names) {
    const [slider, told] = sliders[name], [least, most] = limits[name];
    slider.min = Math.min(least, lab.selected[name]);
    slider.max = Math.max(most, lab.selected[name]);
    slider.value = lab.selected[name];
    slider.disabled = !isKnown() || least === most;
    told.textContent = said(name, lab.selected[name]);
    slider.setAttribute("aria-valuetext", told.textContent);
  }
}

// The page's own word, within what can be chosen now.
function clamped(wanted) {
  if (!isKnown()) return wanted;
  const limits = bounds(props.value);
  const within = ([least, most], number) => Math.min(most, Math.max(least, number));
  return Object.fromEntries(names.map((name) => [name, within(limits[name], wanted[name])]));
}

function tell() {
  clearTimeout(later);
  later = setTimeout(() => {
    if (!isKnown() || names.every((name) => props.value[name] === lab.selected[name])) return;
    props.value = { ...props.value, ...lab.selected };
    trigger("rest");
  }, 150);
}

function receive() {
  const { layer, head, position } = props.value;
  layOut();
  lab.select({ layer, head, position }, true); // and so `show`
}

element.addEventListener("input", (event) => {
  const name = event.target.dataset.name;
  if (name) lab.select({ [name]: Number(event.target.value) });
});
document.addEventListener("lab-select", () => {
  if (!element.isConnected) return;
  Object.assign(lab.selected, clamped(lab.selected));
  show();
  tell();
});
watch("value", () => {
  if (names.some((name) => props.value[name] !== lab.selected[name]) || group.dataset.labels !== JSON.stringify(props.value.labels)) receive();
  group.dataset.labels = JSON.stringify(props.value.labels);
});
receive();
