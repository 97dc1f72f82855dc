// The whole screen, and taps and swipes on it: the same on the page and in the static edition.

// if it is not allowed, the window is filled
export const fillScreen = () => document.documentElement.requestFullscreen?.().catch(() => {});

export function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else fillScreen();
}

// Taps and swipes, not clicks: a browser makes no click of a tap that follows close on a swipe. What begins on something that
// matches `besides` is neither; `swipe` is called with 1 to the left, for the next step, and else with -1.
export function touches(besides, { tap, swipe }) {
  let pressedAt = null; // x of the pointer
  return {
    onpointerdown: (event) => {
      pressedAt = event.target.closest(besides) ? null : event.clientX;
    },
    onpointerup: (event) => {
      if (pressedAt == null) return;
      const moved = event.clientX - pressedAt;
      pressedAt = null;
      if (Math.abs(moved) < 10) tap();
      else if (Math.abs(moved) > 40) swipe(moved < 0 ? 1 : -1);
    },
  };
}
