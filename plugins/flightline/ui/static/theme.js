// Airflow's theme: that of the page around this one, else what Airflow keeps, else what the system says.
(function () {
  "use strict";
  function dark() {
    try {
      if (window.parent !== window) return window.parent.document.documentElement.classList.contains("dark");
    } catch (error) { /* another site's page is around this one */ }
    var kept = null;
    try { kept = window.localStorage.getItem("theme"); } catch (error) { /* no storage */ }
    if (kept === "dark" || kept === "light") return kept === "dark";
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function apply() { document.documentElement.classList.toggle("dark", dark()); }
  apply();
  try {
    if (window.parent !== window)
      new MutationObserver(apply).observe(window.parent.document.documentElement, { attributes: true, attributeFilter: ["class"] });
  } catch (error) { /* another site's page is around this one */ }
})();
