/** Names, dates and times as people write them. */

/** A DICOM person name (PS3.5 6.2): "Doe^Jane^^Dr" becomes "Doe, Jane"; of several groups the first that says something. */
export function personName(name: string): string {
  const group = name.split("=").find((one) => one.trim()) ?? "";
  const [family = "", given = "", middle = ""] = group.split("^").map((part) => part.trim());
  const rest = [given, middle].filter(Boolean).join(" ");
  return [family, rest].filter(Boolean).join(", ") || "No name";
}

/** A DICOM date (YYYYMMDD) as YYYY-MM-DD; anything else as it is. */
export function date(value: string): string {
  const found = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(value.trim());
  return found ? `${found[1]}-${found[2]}-${found[3]}` : value;
}

/** A DICOM time (HHMMSS.f) as HH:MM. */
export function time(value: string): string {
  const found = /^(\d{2}):?(\d{2})/.exec(value.trim());
  return found ? `${found[1]}:${found[2]}` : value;
}

/** Whole years between two DICOM dates; "" when either is not known. */
export function age(birth: string, study: string): string {
  const born = /^(\d{4})(\d{2})(\d{2})$/.exec(birth);
  const seen = /^(\d{4})(\d{2})(\d{2})$/.exec(study);
  if (!born || !seen) return "";
  const had = `${seen[2]}${seen[3]}` >= `${born[2]}${born[3]}`;
  const years = Number(seen[1]) - Number(born[1]) - (had ? 0 : 1);
  return years >= 0 && years < 130 ? `${years}\u00a0y` : "";
}

/** A duration in seconds, in its two largest units. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Seconds since 1970 as local date and time. */
export function moment(seconds: number): string {
  const at = new Date(seconds * 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Bytes in the unit that suits. */
export function size(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${Math.round(count / 1e3)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

/** A probability with two digits; never 1.00 or 0.00 unless it is. */
export function probability(value: number): string {
  if (value > 0 && value < 0.005) return "<0.01";
  if (value < 1 && value > 0.995) return ">0.99";
  return value.toFixed(2);
}

/** Ascending indexes from 0 as ranges of numbers from 1: [0,1,2,5] becomes "1–3, 6". */
export function ranges(indexes: readonly number[]): string {
  const parts: string[] = [];
  let start = -1;
  indexes.forEach((value, k) => {
    if (start < 0) start = value;
    if (indexes[k + 1] === value + 1) return;
    parts.push(start === value ? `${value + 1}` : `${start + 1}–${value + 1}`);
    start = -1;
  });
  return parts.join(", ");
}
