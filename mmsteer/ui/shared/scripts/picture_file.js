// A picture that a visitor gives.

const PLACE = "gradio.FileData";
const megabytes = (bytes) => bytes / 2 ** 20;

// Send it to the server: {sent}, what to refer to it by, or {error}, a sentence. `upload` is the component's.
export async function sendPicture(file, types, largest, upload) {
  if (!types.includes(file.type)) return { error: `${file.name} is no PNG, JPEG or WebP picture: choose another file.` };
  if (file.size > largest) {
    return { error: `${file.name} has ${megabytes(file.size).toFixed(1)} MB; ${megabytes(largest)} are allowed: choose a smaller file.` };
  }
  try {
    const { path } = await upload(file);
    return { sent: { path, meta: { _type: PLACE } } };
  } catch {
    return { error: `${file.name} did not arrive: try again.` };
  }
}
