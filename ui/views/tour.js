// Shows one stop of the tour at a time, and keeps its number in the address.
const tour = element.querySelector(".tour");
const stops = [...tour.querySelectorAll("[data-stop]")];

const show = (number) => {
  tour.hidden = !number;
  for (const stop of stops) stop.hidden = Number(stop.dataset.stop) !== number;
  for (const button of tour.querySelectorAll(".stops button")) {
    if (Number(button.dataset.tour) === number) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  const open = stops[number - 1];
  if (open) open.querySelector("details").open = false; // who comes back is asked again
  return open;
};

const asked = Number(new URLSearchParams(location.search).get("tour"));
show(stops[asked - 1] ? asked : 0);

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-tour]");
  if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const number = Number(button.dataset.tour) || 0; // none to close it
  lab.put("tour", number ? String(number) : null);
  const open = show(number);
  if (open) {
    open.querySelector("h2").focus({ preventScroll: true });
    tour.scrollIntoView({ block: "nearest" });
  } else document.querySelector("[role=tab][aria-selected=true]")?.focus({ preventScroll: true });
});
