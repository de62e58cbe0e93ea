import NGSI

/// The languages of the console.
enum Language: String, Sendable, CaseIterable {
  case ko
  case en

  var other: Language { self == .ko ? .en : .ko }

  /// The language of a request: what the address asks for, then what the reader chose before, then what the browser
  /// prefers (RFC 9110 section 12.5.4), then English.
  static func chosen(query: String?, cookie: String?, acceptLanguage: String?) -> Language {
    if let language = query.flatMap(Language.init(rawValue:)) { return language }
    if let language = cookie.flatMap(Language.init(rawValue:)) { return language }
    var best: (language: Language, quality: Double)?
    for range in (acceptLanguage ?? "").split(separator: ",").prefix(32) {
      let parts = range.split(separator: ";").map { $0.trimming() }
      guard let tag = parts.first?.lowercased(), let primary = tag.split(separator: "-").first,
        let language = Language(rawValue: String(primary))
      else { continue }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      if quality > 0, quality > best?.quality ?? 0 { best = (language, quality) }
    }
    return best?.language ?? .en
  }
}

extension LocalizedText {
  func `in`(_ language: Language) -> String { language == .ko ? ko : en }
}

extension StringProtocol {
  /// Without the white space around it.
  func trimming() -> String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text = text.dropFirst() }
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return String(text)
  }
}
