import CPCRE2
import NGSI
import Synchronization

/// A compiled regular expression that looks for a match anywhere in a text.
///
/// PCRE2, whose syntax covers the extended expressions of IEEE 1003.2 that NGSI-LD asks for and, as ``Dialect/ecmaScript``,
/// those of ECMA-262 that JSON Schema asks for. What a match may cost is bounded: PCRE2's match limit is set so that all
/// starting points together take at most about ``stepBudget`` steps; a text on which that is not enough is an error, not
/// a silent "no".
// Compiled PCRE2 code is read only once it is made, and the match data is made for each call.
public final class Pattern: @unchecked Sendable {
  public enum Dialect: Sendable, Hashable {
    case pcre
    /// `\uXXXX` is a code point, `$` the very end of the text.
    case ecmaScript

    fileprivate var options: UInt32 {
      switch self {
      case .pcre: 0
      case .ecmaScript: UInt32(PCRE2_DOLLAR_ENDONLY) | UInt32(PCRE2_ALT_BSUX) | UInt32(PCRE2_MATCH_UNSET_BACKREF)
      }
    }
  }

  static let stepBudget = 2_000_000
  /// Longest text that is searched, in bytes.
  static let maxText = 65_536
  /// Most characters of an expression.
  public static let maxCharacters = 1_024

  public let text: String
  private let code: OpaquePointer
  private let limits: OpaquePointer

  /// - Throws: ``Problem`` whose detail says what is wrong with the expression, and where.
  public init(_ text: String, dialect: Dialect = .pcre) throws(Problem) {
    guard text.unicodeScalars.count <= Self.maxCharacters else {
      throw .badRequest("it may have at most \(Self.maxCharacters) characters")
    }
    let (code, failure) = Self.compile(text, dialect)
    guard let code else { throw .badRequest(failure) }
    guard let limits = pcre2_match_context_create_8(nil) else {
      pcre2_code_free_8(code)
      throw Problem(.internalError, "no memory for a regular expression")
    }
    pcre2_set_heap_limit_8(limits, 8_192)
    self.text = text
    self.code = code
    self.limits = limits
  }

  deinit {
    pcre2_match_context_free_8(limits)
    pcre2_code_free_8(code)
  }

  private static func compile(_ text: String, _ dialect: Dialect) -> (OpaquePointer?, String) {
    guard let context = pcre2_compile_context_create_8(nil) else { return (nil, "no memory") }
    defer { pcre2_compile_context_free_8(context) }
    pcre2_set_parens_nest_limit_8(context, 50)
    var error: Int32 = 0
    var offset = 0
    // `(*…)` at the start could lift the limits.
    if text.hasPrefix("(*") { return (nil, "it may not begin with '(*'") }
    var copy = text
    let code = copy.withUTF8 { bytes in
      pcre2_compile_8(
        bytes.baseAddress, bytes.count, UInt32(PCRE2_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C) | dialect.options, &error,
        &offset, context)
    }
    guard let code else { return (nil, "\(message(error)) (byte \(offset + 1))") }
    // A small pattern can be written that compiles to megabytes.
    var size = 0
    pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_SIZE), &size)
    guard size <= 262_144 else {
      pcre2_code_free_8(code)
      return (nil, "its repetitions make it too large")
    }
    return (code, "")
  }

  private static func message(_ code: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 160)
    let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
    return length > 0 ? String(decoding: buffer[..<Int(length)], as: UTF8.self) : "error \(code)"
  }

  /// - Throws: ``Problem`` `TooComplexQuery` when the match would cost more than its budget.
  public func matches(_ subject: String) throws(Problem) -> Bool {
    var subject = subject
    let outcome: Int32 = subject.withUTF8 { bytes in
      guard bytes.count <= Self.maxText else { return PCRE2_ERROR_MATCHLIMIT }
      guard let data = pcre2_match_data_create_8(1, nil) else { return PCRE2_ERROR_NOMEMORY }
      defer { pcre2_match_data_free_8(data) }
      // PCRE2 counts anew from each starting point.
      guard let context = pcre2_match_context_copy_8(limits) else { return PCRE2_ERROR_NOMEMORY }
      defer { pcre2_match_context_free_8(context) }
      pcre2_set_match_limit_8(context, UInt32(max(2_000, Self.stepBudget / max(100, bytes.count))))
      return pcre2_match_8(code, bytes.baseAddress, bytes.count, 0, UInt32(PCRE2_NO_UTF_CHECK), data, context)
    }
    if outcome >= 0 { return true }
    if outcome == PCRE2_ERROR_NOMATCH { return false }
    throw Problem(
      .tooComplexQuery, "the regular expression '\(text.prefix(80))' takes too many steps on a text it meets")
  }

  // MARK: - Cache

  private static let cache = Mutex<[String: Pattern]>([:])
  /// Most expressions that are kept compiled.
  static let maxCached = 256

  public static func cached(_ text: String) throws(Problem) -> Pattern {
    if let known = cache.withLock({ $0[text] }) { return known }
    let made = try Pattern(text)
    cache.withLock { cache in
      if cache.count >= maxCached { cache.removeAll(keepingCapacity: true) }
      cache[text] = made
    }
    return made
  }
}
