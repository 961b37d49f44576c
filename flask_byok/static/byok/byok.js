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
    const formatting = (locale, dateStyle) =>
      new Intl.DateTimeFormat(locale, { dateStyle, timeStyle: "short" });
    const usual = formatting(language, "medium");
    // Swedish for ISO: where the server writes dates so, no time looks unlike them.
    const iso = formatting("sv", "short");

    for (const time of part.querySelectorAll("time[datetime*='T']")) {
      const format = /^\d{4}-\d\d-\d\d /.test(time.textContent) ? iso : usual;
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
    const status = form.querySelector(".byok-actions [role=status]");
    const { byokSaving } = form.closest("[data-byok-saving]").dataset;
    let pressedAt = -Infinity;

    form.addEventListener("submit", (event) => {
      if (performance.now() - pressedAt < 1000) {
        event.preventDefault();
        return;
      }

      pressedAt = performance.now();
      status.textContent = byokSaving;
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

  const test = async (button, region) => {
    const headers = { "X-Byok-Fragment": "1" };

    if (keyField && keyField.value) {
      headers["X-Byok-Typed"] = "1";
    }

    const response = await fetch(button.formAction, {
      method: "POST",
      body: new URLSearchParams(new FormData(button.form, button)),
      headers,
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

  const setUpTest = (button) => {
    const region = document.getElementById(button.dataset.byokTest);
    const name = button.firstChild;
    const usual = name.textContent;
    const words = root.querySelector("[data-byok-wait]").dataset;
    let busy = false;

    suggestModels(region);

    button.addEventListener("click", async (event) => {
      event.preventDefault();

      if (busy) {
        return;
      }

      busy = true;
      name.textContent = words.byokBusy;
      button.setAttribute("aria-disabled", "true");
      region.textContent = words.byokWait;

      // Pressed far from the card, in the notice: go where the result will stand.
      if (!region.parentElement.contains(button)) {
        region.focus();
      }

      try {
        await test(button, region);
      } catch {
        button.form.requestSubmit(button);
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
  root.querySelectorAll("[data-byok-test]").forEach(setUpTest);
})();
