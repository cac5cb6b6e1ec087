/** A file to be sent, with its path inside of the folder that was chosen or dropped. */
export interface Chosen {
  file: File;
  name: string;
}

const MOST = 50_000;

function entries(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function walk(entry: FileSystemEntry, found: Chosen[]): Promise<void> {
  if (found.length >= MOST) throw new Error(`More than ${MOST} files; send them in parts, or as a zip archive.`);
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ file, name: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // a reader gives about a hundred at a time, and an empty list at the end
  for (let part = await entries(reader); part.length > 0; part = await entries(reader)) {
    for (const one of part) await walk(one, found);
  }
}

/** All files of what was dropped, folders included. */
export async function dropped(transfer: DataTransfer): Promise<Chosen[]> {
  // entries must be taken before anything is awaited: the transfer is emptied then
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (roots.length === 0) return picked(transfer.files);
  const found: Chosen[] = [];
  for (const root of roots) await walk(root, found);
  return found;
}

export function picked(list: FileList | null): Chosen[] {
  return [...(list ?? [])].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
}

/** Parts of at most so many files and bytes, so that progress is seen and limits are kept. */
export function parts(files: Chosen[], count = 200, bytes = 100e6): Chosen[][] {
  const out: Chosen[][] = [];
  let size = Infinity;
  for (const one of files) {
    const last = out.at(-1);
    if (!last || last.length >= count || size + one.file.size > bytes) {
      out.push([one]);
      size = one.file.size;
    } else {
      last.push(one);
      size += one.file.size;
    }
  }
  return out;
}
