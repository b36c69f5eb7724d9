// Inside Airflow the pages are in a sandboxed frame, which may open no window: the page around it opens it instead.
(function () {
  "use strict";
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a[data-outside]");
    if (!link || window.parent === window) return;
    try {
      var other = window.parent.document.createElement("a");
      other.href = link.href; other.target = "_blank"; other.rel = "noopener";
      window.parent.document.body.append(other);
      other.click();
      other.remove();
      event.preventDefault();
    } catch (error) { /* another site's page is around this one: let the browser decide */ }
  });
  document.addEventListener("submit", function (event) {
    var words = event.target.getAttribute("data-sure");
    if (words && !event.target.querySelector("input[name=sure]:checked")) {
      event.preventDefault();
      var box = event.target.querySelector("input[name=sure]");
      if (box) box.focus();
    }
  });
  var enter = document.querySelector("form[data-enter]");
  if (enter) enter.submit();
})();
