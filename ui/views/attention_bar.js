// The switches of the pictures: which weights, which colours, sinks or none. They live in the page as `lab.attention`, and
// the pictures hear of them by the document event `lab-attention`.
const NAMES = ["mode", "scale", "sinks"];
const LINKS = { mode: "attention", scale: "colours", sinks: "sinks" };
const FIRST = { mode: "raw", scale: "shared", sinks: "shown" };
const chosen = () => Object.fromEntries(NAMES.map((name) => [name, props.value?.[name] ?? FIRST[name]]));

function show() {
  const now = chosen();
  for (const radio of element.querySelectorAll("[type=radio]")) radio.checked = radio.value === now[radio.dataset.name];
  element.querySelector("[name=sinks]").checked = now.sinks === "hidden";
  lab.attention = now;
  document.dispatchEvent(new CustomEvent("lab-attention"));
}

element.addEventListener("change", (event) => {
  const name = event.target.dataset.name ?? (event.target.name === "sinks" ? "sinks" : "");
  if (!name) return;
  const value = name === "sinks" ? (event.target.checked ? "hidden" : "shown") : event.target.value;
  props.value = { ...chosen(), [name]: value };
  const now = chosen();
  lab.keep(["attention"], Object.fromEntries(NAMES.map((one) => [LINKS[one], now[one] === FIRST[one] ? "" : now[one]])));
  show();
});
watch("value", show);
show();
