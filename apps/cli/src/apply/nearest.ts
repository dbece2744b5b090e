/** The known name that is most like an unknown one, if any is much like it. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const folded = fold(name)
  let best: string | undefined
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(folded, fold(candidate))
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
