// What all inside views look at: layer, head and position. For the head of the page, after `links.js`.
lab.selected = { layer: 1, head: 0, position: 0 };

// Choose some of the three. `isTold` says that the server knows already.
lab.select = (wanted, isTold = false) => {
  const before = { ...lab.selected };
  Object.assign(lab.selected, wanted);
  if (!isTold && Object.keys(before).every((name) => before[name] === lab.selected[name])) return;
  document.dispatchEvent(new CustomEvent("lab-select", { detail: { ...lab.selected } }));
  lab.keep(lab.insideViews ?? [], lab.selected);
};
