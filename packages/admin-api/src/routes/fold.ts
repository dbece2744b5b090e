/** A word without the differences between its spellings: `ENCRYPT_DECRYPT`, `EncryptDecrypt`, `encrypt-decrypt`. */
export function fold(word: string): string {
  return word.replace(/[_-]/g, '').toLowerCase()
}
