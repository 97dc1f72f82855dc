// Keys of the page's address beside the recipe of the pair that is shown.

export const inAddress = (key) => new URLSearchParams(location.search).get(key);

export function putIntoAddress(key, value) {
  const query = new URLSearchParams(location.search);
  query.set(key, value);
  history.replaceState(history.state, "", `?${query}`);
}
