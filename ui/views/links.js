// Keeps the address of the page in step with what the visitor looks at, without asking the server: `lab` is called by
// the page's events. Following a link is the server's affair, which checks it and says where it leads.
window.lab = (() => {
  const longest = 300; // characters of a text that goes into the address
  let keys = new Set(); // that are ours in the query
  let tab = "";
  let tool = "";
  let tabs = {}; // tab -> the outermost tab around it, and the tools in it
  const settings = {}; // tool -> [name, value] pairs, as in the query
  const recent = []; // tools, the one seen last at the end
  let later = 0;

  const query = () => {
    const rest = [...new URLSearchParams(location.search)].filter(([name]) => !keys.has(name));
    const own = tab ? [["tab", tab], ...(tool ? [["tool", tool], ...(settings[tool] ?? [])] : [])] : [];
    return new URLSearchParams([...own, ...rest]);
  };

  const write = (parameters) => {
    const text = parameters.toString();
    if (text === location.search.slice(1)) return;
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : "") + location.hash);
  };

  // Browsers count how often an address is replaced, and a slider moves often.
  const show = () => {
    clearTimeout(later);
    later = setTimeout(now, 200);
  };
  const now = () => {
    clearTimeout(later);
    write(query());
  };

  const see = (name) => {
    tool = name ?? "";
    if (!tool) return;
    const place = recent.indexOf(tool);
    if (place >= 0) recent.splice(place, 1);
    recent.push(tool);
  };

  // The page opens: what is ours, and what to follow.
  const begin = (known) => {
    keys = new Set(known.keys);
    tabs = known.tabs;
    self.insideViews = known.inside;
    return location.search;
  };

  // A tab is open: of its tools, the one seen last. Gradio's own event would come when the panel has answered.
  document.addEventListener("click", (event) => {
    const id = event.target.closest?.("[role=tab]")?.dataset.tabId;
    if (!Object.hasOwn(tabs, id)) return;
    const [outermost, tools] = tabs[id];
    tab = outermost;
    see([...recent].reverse().find((one) => tools.includes(one)) ?? tools[0]);
    show();
  });

  // A control shows another tool in the same tab.
  const choose = (tools, value) => {
    see(tools[value]);
    show();
  };

  const chosenIn = (name) => Number((settings[name] ?? []).find(([key]) => key === "example")?.[1] ?? 0);

  // The example whose texts these are, if any, the one that was chosen before others.
  const exampleOf = (about, given) => {
    const chosen = chosenIn(about.tool);
    if (!about.things.length) return chosen;
    const isThis = (one) =>
      one && about.things.every((name) => String([one[name]].flat()) === String(given.filter(([key]) => key === name).map(([, value]) => value)));
    if (isThis(about.examples[chosen])) return chosen;
    return about.examples.findIndex(isThis);
  };

  // Something was set in a tool. Texts that are too long stay out, as do models that the page does not list: a folder
  // of the visitor's is nobody else's business.
  const set = (about, isText, [model, ...values]) => {
    const before = settings[about.tool];
    const given = about.names
      .map((name, i) => [name, values[i]])
      .filter(([, value]) => value !== null && value !== undefined && value !== "");
    const number = exampleOf(about, given);
    if (isText && number === chosenIn(about.tool)) return; // by the page, when it put the example there
    const isOwn = number < 0 || !about.examples.length || (!about.things.length && !before?.some(([key]) => key === "example"));
    const kept = given
      .filter(([name, value]) => (isOwn || !about.things.includes(name)) && String(value).length <= longest)
      .map(([name, value]) => [name, String(value)]);
    settings[about.tool] = [
      ...(about.models.includes(model) ? [["model", model]] : []),
      ...(isOwn ? [] : [["example", String(number)]]),
      ...kept,
    ];
    if (about.tool === tool) show();
  };

  // Settings that several tools share; an empty one is left out.
  const keep = (tools, values) => {
    const isGiven = ([, value]) => value !== null && value !== undefined && value !== "";
    for (const one of tools) {
      const others = (settings[one] ?? []).filter(([name]) => !Object.hasOwn(values, name));
      settings[one] = [...others, ...Object.entries(values).filter(isGiven).map(([name, value]) => [name, String(value)])];
    }
    if (tools.includes(tool)) show();
  };

  // A file of the visitor's has taken the place of an example.
  const bring = (name) => {
    settings[name] = (settings[name] ?? []).filter(([key]) => key !== "example");
    show();
  };

  // An example was chosen, with the settings that belong to it.
  const example = (name, index) => {
    const model = (settings[name] ?? []).filter(([key]) => key === "model");
    settings[name] = [...model, ["example", String(index)]];
    show();
  };

  // The server has said where a link leads, and changed the page accordingly.
  const arrive = (text) => {
    const place = JSON.parse(text || "null");
    if (!place) return;
    const pairs = [...new URLSearchParams(place.query)];
    tab = pairs.find(([key]) => key === "tab")?.[1] ?? "";
    see(pairs.find(([key]) => key === "tool")?.[1]);
    if (tool) settings[tool] = pairs.filter(([key]) => key !== "tab" && key !== "tool");
    now();
    if (place.run) press(`#${place.run}-run`);
  };

  // A tab that has never been open takes a moment to be laid out.
  const press = (selector, tries = 100) => {
    const button = document.querySelector(selector);
    if (button && button.offsetParent && !button.disabled) button.click();
    else if (tries) setTimeout(press, 100, selector, tries - 1);
  };

  const self = { begin, choose, set, keep, bring, example, arrive, wanted: "" };

  // Follow a link of the page without leaving it.
  self.go = (link) => {
    self.wanted = link;
    document.querySelector("#link-go")?.click();
  };

  // Set a part of the query that is no tool's, such as the step of the tour; null takes it out.
  self.put = (name, value) => {
    const parameters = query();
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
    clearTimeout(later);
    write(parameters);
  };

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // without a secure address there is no clipboard but that of a selection
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  const tell = (button) => {
    const label = button.querySelector("span") ?? button;
    const before = label.dataset.before ?? label.textContent;
    label.dataset.before = before;
    label.textContent = button.dataset.done;
    setTimeout(() => (label.textContent = before), 2000);
  };

  const here = () => new URL("./", location.href).href.replace(/\/$/, "");

  const fill = (place) => {
    for (const address of place?.querySelectorAll(".address") ?? []) address.textContent = here();
  };

  document.addEventListener("toggle", (event) => event.target.matches?.(".repeat") && fill(event.target), true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy], [data-copy-link]");
    if (button?.matches("[data-copy]")) {
      const place = button.closest(".code");
      fill(place);
      copied(place.querySelector("code").textContent).then(() => {
        tell(button);
        button.focus();
      });
    } else if (button) {
      now();
      copied(location.href).then(() => {
        tell(button);
        button.focus();
      });
    }
    const link = event.target.closest?.("a[data-link]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      self.go(link.getAttribute("href"));
    }
  });

  // The other language opens at the same place.
  const translate = (event) => {
    const link = event.target.closest?.(".languages a");
    if (!link) return;
    now();
    const parameters = new URLSearchParams(location.search);
    parameters.set("lang", link.lang);
    link.setAttribute("href", `./?${parameters}`);
  };
  for (const kind of ["pointerdown", "keydown", "click"]) document.addEventListener(kind, translate, true);
  addEventListener("pagehide", now);

  return self;
})();
