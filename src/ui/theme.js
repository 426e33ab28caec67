(function () {
  var root = document.documentElement, key = "crosstie-theme", chosen = null;
  try { chosen = localStorage.getItem(key); } catch (refused) {}
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  function choose(theme) {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    try { if (theme === "system") localStorage.removeItem(key); else localStorage.setItem(key, theme); } catch (refused) {}
  }
  addEventListener("click", function (event) {
    var control = event.target.closest("[data-theme-choice]");
    if (control) {
      var theme = control.dataset.themeChoice;
      if (theme === "other") {
        var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
        theme = dark ? "light" : "dark";
      }
      choose(theme);
    }
    document.querySelectorAll("details[data-menu][open]").forEach(function (menu) {
      if (!menu.contains(event.target) || event.target.closest(".menu-list a, .menu-list button")) menu.open = false;
    });
  });
  addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details[data-menu][open]").forEach(function (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
  // A form with changes that are not saved asks before it is left.
  function unsaved() { return document.querySelector("form[data-dirty]"); }
  addEventListener("beforeunload", function (event) { if (unsaved()) event.preventDefault(); });
  addEventListener("click", function (event) {
    var link = event.target.closest("a[href]"), form = unsaved();
    if (!link || !form || link.target === "_blank" || event.ctrlKey || event.metaKey || link.getAttribute("href").charAt(0) === "#") return;
    if (link.hasAttribute("data-discard") || confirm("Your changes are not saved. Leave and drop them?")) form.removeAttribute("data-dirty");
    else { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
})();
