import NGSI

/// The formats of JSON Schema (2020-12 validation, section 7.3). One that is not among them says nothing.
enum Format: String, Sendable, CaseIterable {
  case dateTime = "date-time"
  case date
  case time
  case duration
  case email
  case idnEmail = "idn-email"
  case hostname
  case ipv4
  case ipv6
  case uri
  case uriReference = "uri-reference"
  case iri
  case iriReference = "iri-reference"
  case uuid
  case jsonPointer = "json-pointer"
  case relativeJSONPointer = "relative-json-pointer"
  case regex

  var summary: String {
    switch self {
    case .dateTime: "a time such as 2026-11-23T09:00:00Z (RFC 3339)"
    case .date: "a date such as 2026-11-23"
    case .time: "a time of day with its offset, such as 09:00:00Z"
    case .duration: "a duration such as PT15M"
    case .uri: "a URI"
    case .iri: "an IRI"
    default: "a text of the format '\(rawValue)'"
    }
  }

  func accepts(_ text: String) -> Bool {
    switch self {
    case .dateTime: FormatText.isDateTime(text)
    case .date: FormatText.isDate(Array(text.utf8)[...])
    case .time: FormatText.isTime(Array(text.utf8)[...])
    case .duration: FormatText.isDuration(text)
    case .email: FormatText.isEmail(text, international: false)
    case .idnEmail: FormatText.isEmail(text, international: true)
    case .hostname: FormatText.isHostname(text)
    case .ipv4: FormatText.isIPv4(text[...])
    case .ipv6: FormatText.isIPv6(text)
    case .uri: FormatText.isURI(text, international: false, mayBeRelative: false)
    case .uriReference: FormatText.isURI(text, international: false, mayBeRelative: true)
    case .iri: FormatText.isURI(text, international: true, mayBeRelative: false)
    case .iriReference: FormatText.isURI(text, international: true, mayBeRelative: true)
    case .uuid: FormatText.isUUID(text)
    case .jsonPointer: FormatText.isPointer(text)
    case .relativeJSONPointer: FormatText.isRelativePointer(text)
    case .regex: FormatText.isPattern(text)
    }
  }
}
