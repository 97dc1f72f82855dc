// Keys of the page's address beside the recipe of the pair that is shown.

export const inAddress = (key) => new URLSearchParams(location.search).get(key);

// nothing takes the key out
export function putIntoAddress(key, value = null) {
  const query = new URLSearchParams(location.search);
  if (value === null) query.delete(key);
  else query.set(key, value);
  history.replaceState(history.state, "", `?${query}`);
}
