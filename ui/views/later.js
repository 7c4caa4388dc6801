// A part that is made when the visitor comes near it: `js_on_load` of a gr.HTML, whose event `look` asks for it.
const ask = () => {
  const part = element.querySelector(".later");
  if (!part) return;
  new IntersectionObserver((seen, watcher) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    watcher.disconnect();
    if (!part.isConnected) return;
    part.classList.add("pending");
    trigger("look");
  }, { rootMargin: "300px" }).observe(part);
};
watch("value", () => setTimeout(ask));
ask();
