// The bar at the top of a small screen: away while one scrolls down, there when one scrolls up.

const STEP = 6; // pixels of scrolling that mean something

/** Fold `bar` away where the page's style has `folded` mean that. */
export function foldAway(bar) {
  let before = scrollY;
  addEventListener(
    "scroll",
    () => {
      const by = scrollY - before;
      if (Math.abs(by) < STEP) return;
      before = scrollY;
      bar.classList.toggle("folded", by > 0 && scrollY > bar.offsetHeight && !bar.contains(document.activeElement));
    },
    { passive: true },
  );
  bar.addEventListener("focusin", () => bar.classList.remove("folded"));
}
