// Keys of the page's address, after its #: such a link works on a disk, too, and no server sees it.

export const inAddress = (key) =>
  new URLSearchParams(location.hash.slice(1)).get(key) ?? new URLSearchParams(location.search).get(key);

export function putIntoAddress(key, value) {
  const keys = new URLSearchParams(location.hash.slice(1));
  if (value === null) keys.delete(key);
  else keys.set(key, value);
  history.replaceState(null, "", `#${keys}`);
}
