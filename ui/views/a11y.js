// What the components of Gradio 6.31 lack for people who use a keyboard or a screen reader. Runs once, from the head of
// the page. Everything here may run again at any time: Gradio takes elements away and puts new ones in their places.
(() => {
  "use strict";

  const all = (selector) => document.querySelectorAll(selector);
  const set = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  };

  // Tabs: Gradio makes every tab a stop of the Tab key, and the arrow keys do nothing. By the pattern of WAI-ARIA the
  // list is one stop and arrows move within it. A tab opens on Enter or Space, not on focus: opening may run a model.
  const TABS = "[role=tab][data-tab-id]";

  function mendTabs() {
    for (const list of all("[role=tablist]")) {
      const tabs = [...list.querySelectorAll(TABS)];
      const stop = tabs.find((tab) => tab === document.activeElement)
        ?? tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? tabs[0];
      for (const tab of tabs) {
        set(tab, "tabindex", tab === stop ? "0" : "-1");
        const panel = document.getElementById(tab.getAttribute("aria-controls"));
        if (panel) set(panel, "aria-labelledby", tab.id);
      }
    }
  }

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.(TABS);
    if (!tab || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll(TABS)].filter((each) => !each.disabled);
    const place = tabs.indexOf(tab);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    tabs[(next + tabs.length) % tabs.length].focus();
    mendTabs();
  });
  // Whoever comes back to the list comes back to the tab that is open.
  document.addEventListener("focusout", (event) => {
    if (event.target.matches?.(TABS)) setTimeout(mendTabs);
  });

  // Sounds and pictures: the label of the box belongs to nothing. The box becomes a group of that name, so that the
  // buttons in it are heard as those of "First voice, clip 2"; where to take it from becomes a choice that can be heard.
  function mendMedia() {
    for (const label of all(".block > [data-testid=block-label]")) {
      set(label.parentElement, "role", "group");
      set(label.parentElement, "aria-label", label.textContent.trim());
    }
    for (const button of all("[data-testid=source-select] button")) {
      set(button, "aria-pressed", String(button.classList.contains("selected")));
    }
  }

  // Examples that are pictures: buttons without a name. The names stand beside them, out of sight.
  function mendExamples() {
    for (const names of all("[data-names-of]")) {
      const texts = [...names.children].map((name) => name.textContent);
      document.querySelectorAll(`#${names.dataset.namesOf} .gallery-item`).forEach((button, i) => {
        if (texts[i]) set(button, "aria-label", texts[i]);
      });
    }
  }

  // Dropdowns: the line that explains one is not tied to it.
  function mendDropdowns() {
    for (const box of all("[role=combobox]")) {
      const info = box.closest(".block")?.querySelector("[class*=info-text]");
      if (!info) continue;
      info.id ||= `${box.closest(".block").id}-info`;
      set(box, "aria-describedby", info.id);
    }
  }

  // Footer: pictures that repeat the text beside them.
  function mendFooter() {
    for (const picture of all("footer img")) set(picture, "alt", "");
  }

  // Answers come in silence: nothing tells that a model has finished. The first words of an answer are read out when its
  // indicator of progress goes away; an error has a role of its own that does so.
  const working = new WeakMap();
  let speaker;

  function announceAnswers() {
    for (const result of all(".block.result")) {
      const tracker = result.querySelector("[data-testid=status-tracker]");
      const isWorking = tracker !== null && !tracker.classList.contains("hide");
      const hasFinished = working.get(result) && !isWorking;
      working.set(result, isWorking);
      set(result, "aria-busy", String(isWorking));
      if (hasFinished && result.getClientRects().length && !result.querySelector("[role=alert]")) announce(result);
    }
  }

  function announce(result) {
    if (!speaker?.isConnected) {
      speaker = document.createElement("div");
      speaker.className = "unseen";
      speaker.setAttribute("role", "status");
      document.querySelector(".gradio-container").append(speaker);
    }
    const part = result.querySelector(".headline, .words, p") ?? result;
    speaker.textContent = "";
    // A moment later, or the same words again would not count as news.
    setTimeout(() => { speaker.textContent = part.innerText.replace(/\s+/g, " ").trim().slice(0, 300); }, 100);
  }

  const MENDS = [mendTabs, mendMedia, mendExamples, mendDropdowns, mendFooter, announceAnswers];
  let isWaiting = false;
  new MutationObserver(() => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => { isWaiting = false; for (const mend of MENDS) mend(); }, 60);
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected", "class"] });
})();
