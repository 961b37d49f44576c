// Comfort on top of plain forms: show the key, test in place, press Save once, local
// times. Without this file every button still works.
(() => {
  "use strict";

  const root = document.querySelector(".byok");

  if (!root) {
    return;
  }

  const keyField = root.querySelector("#byok-api-key");

  const localTimes = (part) => {
    const language = root.closest("[lang]")?.lang || undefined;
    const format = new Intl.DateTimeFormat(language, {
      dateStyle: "medium",
      timeStyle: "short",
    });

    for (const time of part.querySelectorAll("time[datetime*='T']")) {
      time.title = time.textContent;
      time.textContent = format.format(new Date(time.dateTime));
    }
  };

  const setUpShow = () => {
    const button = root.querySelector("[data-byok-show]");

    if (!keyField || !button) {
      return;
    }

    const status = root.querySelector("[data-byok-show-status]");

    const show = (visible) => {
      if ((keyField.type === "text") === visible) {
        return;
      }

      keyField.type = visible ? "text" : "password";
      button.textContent = visible ? button.dataset.byokHide : button.dataset.byokShow;
      status.textContent = visible ? button.dataset.byokShown : button.dataset.byokHidden;
    };

    button.hidden = false;
    button.addEventListener("click", () => show(keyField.type === "password"));
    keyField.form.addEventListener("submit", () => show(false));
    window.addEventListener("blur", () => show(false));

    // A page out of the back cache still holds what was typed.
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        show(false);
        keyField.value = "";
      }
    });
  };

  const setUpSave = (form) => {
    const status = form.querySelector("[data-byok-saving]");
    let pressedAt = -Infinity;

    form.addEventListener("submit", (event) => {
      if (performance.now() - pressedAt < 1000) {
        event.preventDefault();
        return;
      }

      pressedAt = performance.now();
      status.textContent = status.dataset.byokSaving;
    });

    window.addEventListener("pageshow", () => {
      pressedAt = -Infinity;
      status.textContent = "";
    });
  };

  // The names a test found become suggestions for the model field of its card.
  const suggestModels = (region) => {
    const list = region.closest("article").querySelector("datalist");
    const known = new Set([...list.options].map((option) => option.value));

    for (const { textContent: name } of region.querySelectorAll(".byok-models li")) {
      if (!known.has(name)) {
        list.append(new Option("", name));
      }
    }
  };

  const test = async (form, region) => {
    const headers = { "X-Byok-Fragment": "1" };

    if (keyField && keyField.value) {
      headers["X-Byok-Typed"] = "1";
    }

    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers,
      credentials: "same-origin",
      redirect: "error",
    });

    if (!response.ok) {
      throw new Error("no result");
    }

    // The test changed what stands elsewhere on the page, and no key is being typed.
    if (response.status === 205) {
      window.location.hash = region.id;
      window.location.reload();
      return;
    }

    // The text is our own template, escaped by the server.
    region.innerHTML = await response.text();
    localTimes(region);
    suggestModels(region);
  };

  const setUpTest = (form) => {
    const button = form.querySelector("button");
    const region = document.getElementById(form.dataset.byokTest);
    const name = button.firstChild;
    const usual = name.textContent;
    const words = form.closest("[data-byok-wait]").dataset;
    let busy = false;

    suggestModels(region);

    form.addEventListener("submit", async (event) => {
      event.preventDefault();

      if (busy) {
        return;
      }

      busy = true;
      name.textContent = words.byokBusy;
      button.setAttribute("aria-disabled", "true");
      region.textContent = words.byokWait;

      try {
        await test(form, region);
      } catch {
        form.submit();
        return;
      }

      busy = false;
      name.textContent = usual;
      button.removeAttribute("aria-disabled");
    });
  };

  localTimes(root);
  setUpShow();
  root.querySelectorAll("form[data-byok-save]").forEach(setUpSave);
  root.querySelectorAll("form[data-byok-test]").forEach(setUpTest);
})();
