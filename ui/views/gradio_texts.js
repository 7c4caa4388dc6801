// Gradio 6.31 writes some texts in English whatever the language of the page: names of buttons, and the state of a run.
// Here they become those of the page's language. Takes, by language, pairs of Gradio's text and ours; `{name}` in a pair
// stands for whatever is there.
(textsByLanguage) => {
  "use strict";

  const NAMES = ["aria-label", "title"];
  const escaped = (text) => text.replace(/[.*+?^$()|[\]\\/]/g, "\\$&");
  let pairs;

  function load() {
    pairs = (textsByLanguage[navigator.language] ?? []).map(([theirs, ours]) => {
      const names = [...theirs.matchAll(/{(\w+)}/g)].map((match) => match[1]);
      return { theirs: new RegExp(`^${escaped(theirs).replace(/{\w+}/g, "(.*?)")}$`), ours, names };
    });
  }

  function translated(text) {
    for (const { theirs, ours, names } of pairs) {
      const found = theirs.exec(text);
      if (found) return names.reduce((done, name, i) => done.replace(`{${name}}`, rounded(found[i + 1])), ours);
    }
    return null;
  }

  function rounded(value) {
    return value !== "" && Number.isFinite(Number(value)) ? String(Number(Number(value).toFixed(2))) : value;
  }

  function mendNames(element) {
    for (const name of NAMES) {
      const text = element.getAttribute(name);
      const ours = text && translated(text.trim());
      if (ours) element.setAttribute(name, ours);
    }
  }

  function mendText(node) {
    if (!node.parentElement?.closest("[data-testid=status-tracker]")) return;
    const ours = translated(node.data.trim());
    if (ours) node.data = ` ${ours} `;
  }

  function mendAll(root) {
    if (root.nodeType === Node.TEXT_NODE) mendText(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    mendNames(root);
    for (const element of root.querySelectorAll("[aria-label], [title]")) mendNames(element);
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    if (root.closest("[data-testid=status-tracker]") || root.querySelector("[data-testid=status-tracker]")) {
      while (texts.nextNode()) mendText(texts.currentNode);
    }
  }

  new MutationObserver((changes) => {
    if (!pairs) load();
    if (!pairs.length) return;
    for (const change of changes) {
      if (change.type === "attributes") mendNames(change.target);
      else if (change.type === "characterData") mendText(change.target);
      else change.addedNodes.forEach(mendAll);
    }
  }).observe(document, {
    childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: NAMES,
  });
};
