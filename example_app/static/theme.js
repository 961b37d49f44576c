// Bootstrap is dark where the page says so; this says what the system chose.
(() => {
  "use strict";

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
  };

  dark.addEventListener("change", follow);
  follow();
})();
