import NGSI
import NIOHTTP1

/// `Prefer: ngsi-ld=1.5` (RFC 7240, ETSI GS CIM 009 clauses 4.3.6.8 and 6.3.6).
enum Preference {
  /// The version that is preferred; `nil` where none is, or what is said is no version.
  static func version(_ headers: HTTPHeaders) -> SpecificationVersion? {
    for field in headers[HeaderName.prefer] {
      for preference in field.split(separator: ",") {
        let parts = preference.split(separator: ";", maxSplits: 1)[0].split(
          separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, String(parts[0]).trimmingSpaces.lowercased() == "ngsi-ld" else { continue }
        var text = String(parts[1]).trimmingSpaces[...]
        if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
        return SpecificationVersion(text)
      }
    }
    return nil
  }

  /// Says which version the answer conforms to.
  static func tell(_ version: SpecificationVersion, in response: inout APIResponse) {
    response.headers[first: HeaderName.preferenceApplied] = "ngsi-ld=\(version.conformant)"
  }

  /// Says it of an answer that is the same in every version: it is no entity.
  static func tellWhereNothingChanges(_ headers: HTTPHeaders, in response: inout APIResponse) {
    guard headers.contains(name: HeaderName.prefer), (200..<207).contains(response.status), !response.body.isEmpty,
      !response.headers.contains(name: HeaderName.preferenceApplied),
      response.headers[first: HeaderName.contentType] != MediaType.geoJSON.rawValue, let version = version(headers)
    else { return }
    tell(version, in: &response)
  }
}
