// What the page's own scripts ask gradio and the server for, answered from files beside this one. The page's scripts use these names.
export const props = MMSTEER.data;
export const element = document.querySelector("#view-explore");
export const trigger = () => {}; // nothing is drawn here
const illustrated = new Set(props.sheets);

// a script, as a page on a disk may not fetch anything else
export function load(path) {
  return new Promise((resolve) => {
    const tag = Object.assign(document.createElement("script"), { src: path, onload: resolve, onerror: resolve });
    document.head.append(tag);
  });
}

export const server = {
  features: async () => props.features,
  layout: async () => props.places,
  sheets: async (ids) => Object.fromEntries(ids.map((id) => [id, illustrated.has(id) ? `examples/${id}.webp` : null])),
  card: async (id) => {
    if (!MMSTEER.cards[id]) await load(`cards/${id}.js`);
    return MMSTEER.cards[id];
  },
  meaning: async () => ({ error: "Searching by meaning takes the model: search by word." }),
};
