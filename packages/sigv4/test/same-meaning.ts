/** Whether two targets name the same resource with the same parameters, told without the code under test. */
export function sameMeaning(a: string, b: string): boolean {
  try {
    const [pathA = '', queryA = ''] = cut(a)
    const [pathB = '', queryB = ''] = cut(b)
    return decodeURIComponent(pathA) === decodeURIComponent(pathB) && sortedQuery(queryA) === sortedQuery(queryB)
  } catch {
    return false
  }
}

function cut(target: string): readonly string[] {
  const at = target.indexOf('?')
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)]
}

function sortedQuery(query: string): string {
  return JSON.stringify([...new URLSearchParams(query)].map((pair) => JSON.stringify(pair)).sort())
}
