"""The lower-case letters of languages."""

_LATIN = "abcdefghijklmnopqrstuvwxyz"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"

ALPHABETS = {
    "de": f"{_LATIN}äöüß",
    "en": f"{_LATIN}'",
    "es": f"{_LATIN}áéíñóúü",
    "fr": f"{_LATIN}àâæçèéêëîïôœùûüÿ'",
    "it": f"{_LATIN}àèéìíòóùú'",
    "ka": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "nl": f"{_LATIN}áèéêëïóöü'",
    "pl": f"{_LATIN}ąćęłńóśźż",
    "pt": f"{_LATIN}àáâãçéêíóôõúü",
    "ru": f"{_CYRILLIC}ё",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя'",
}
