extension TokenVerifier {
  /// Longest form, in bytes, of which ``csrf(inForm:)`` reads a token.
  public static let longestForm = Form.mostBytes

  /// The token of a session that a form carries in its member `csrf`; `nil` where it carries none, or is no form.
  public static func csrf(inForm body: String) -> String? { Form(body)?["csrf"] }
}
