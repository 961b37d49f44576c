// Answers that appear piece by piece, and one press at a time. Without this file every
// form still works: the answer then comes as a page.
(() => {
  "use strict";

  const STALE = "This page was open too long. Reload it, then run it again.";
  const BROKEN = "The connection broke off. Run it again for a whole answer.";

  // What the server sends is finished HTML of its own templates.
  const put = (place, html) => {
    if (place) {
      place.innerHTML = html;
    }
  };

  const say = (place, sentence) => {
    place.innerHTML = '<div class="flash flash-error" role="alert"><p></p></div>';
    place.querySelector("p").textContent = sentence;
  };

  const readLines = async (body, take) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";

    for (;;) {
      const { value, done } = await reader.read();

      if (done) {
        return;
      }

      const lines = (rest + value).split("\n");
      rest = lines.pop();

      for (const line of lines) {
        take(JSON.parse(line));
      }
    }
  };

  const setUpStream = (form) => {
    const answer = document.querySelector("[data-answer]");
    const text = answer.querySelector("[data-text]");
    const receipt = answer.querySelector("[data-receipt]");
    const trouble = document.querySelector("#trouble");
    const state = form.querySelector("[data-state]");
    const stop = form.querySelector("[data-stop]");
    const button = form.querySelector("button[type=submit]");
    let running = null;

    const setRunning = (controller) => {
      running = controller;
      stop.hidden = controller === null;
      button.setAttribute("aria-disabled", String(controller !== null));
      text.toggleAttribute("data-busy", controller !== null);
    };

    const clear = () => {
      trouble.textContent = "";
      receipt.textContent = "";
      text.textContent = "";
      answer.hidden = true;
    };

    const take = (line) => {
      if (line.text) {
        answer.hidden = false;
        text.append(line.text);
      }

      if (line.receipt) {
        put(receipt, line.receipt);
        state.textContent = "Done.";
      }

      if (line.trouble) {
        put(trouble, line.trouble);
        state.textContent = "";
      }

      if (line.banner !== undefined) {
        put(document.querySelector("#banner"), line.banner);
      }
    };

    const run = async (controller) => {
      const response = await fetch(form.action, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/x-ndjson" },
        signal: controller.signal,
      });

      if (!(response.headers.get("Content-Type") || "").includes("ndjson")) {
        state.textContent = "";
        say(trouble, STALE);
        return;
      }

      await readLines(response.body, take);

      if (!receipt.firstChild && !trouble.firstChild) {
        throw new TypeError("The answer ended early.");
      }
    };

    form.addEventListener("submit", async (event) => {
      event.preventDefault();

      if (running) {
        return;
      }

      const controller = new AbortController();
      clear();
      setRunning(controller);
      state.textContent = "Working…";

      try {
        await run(controller);
      } catch {
        const stopped = controller.signal.aborted;
        state.textContent = stopped ? "Stopped." : "";

        if (!stopped) {
          say(trouble, BROKEN);
        }
      } finally {
        setRunning(null);
      }
    });

    stop.addEventListener("click", () => running && running.abort());
  };

  const setUpPage = (form) => {
    const state = form.querySelector("[data-state]");
    const button = form.querySelector("button[type=submit]");
    let sent = false;

    form.addEventListener("submit", (event) => {
      if (sent) {
        event.preventDefault();
        return;
      }

      sent = true;
      button.setAttribute("aria-disabled", "true");
      state.textContent = "Working…";
    });

    // A page out of the back cache must be ready again.
    window.addEventListener("pageshow", () => {
      sent = false;
      button.removeAttribute("aria-disabled");
      state.textContent = "";
    });
  };

  for (const form of document.querySelectorAll("form[data-ask]")) {
    (form.hasAttribute("data-stream") ? setUpStream : setUpPage)(form);
  }
})();
