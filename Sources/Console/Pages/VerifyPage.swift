import Hummingbird
import NGSI

/// `/verify`: where a proof is checked in the browser alone, and the same page as one file, to be kept and opened from
/// a disk.
///
/// Neither may fetch anything once it is there, so that a proof stays with who checks it.
enum VerifyPage {
  /// Like that of the other pages, but for nothing to connect to and nowhere to send a form.
  static let contentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
    + "frame-ancestors 'none'"

  static func answer(_ visit: Visit) throws -> Response {
    let whole = try saved(visit.language, visit.room)
    var content: [String: Any] = [
      "offlineHref": "/verify/saved?lang=\(visit.language.rawValue)",
      "offlineName": "madang-verify-\(visit.language.rawValue).html",
      "offlineHash": Digest.hex(whole),
    ]
    if let policy = visit.room.source.evidencePolicy {
      content["hasCityPolicy"] = true
      content["cityPolicy"] = policy
    }
    var response = PageFrame.answer(
      visit, template: "verify", title: visit.text("verifyTitle"), section: "verify", content: content,
      strings: "proof")
    response.headers[.contentSecurityPolicy] = contentSecurityPolicy
    return response
  }

  static func savedAnswer(_ visit: Visit) throws -> Response {
    var response = Answer.html(try saved(visit.language, visit.room), visit)
    // What is shown here is no page of the city's: the browser keeps it.
    response.headers[.contentDisposition] = "attachment; filename=\"madang-verify-\(visit.language.rawValue).html\""
    return response
  }

  /// Modules of the page, each after those that it uses.
  private static let modules = [
    "js/proof/octets.js", "js/proof/note.js", "js/proof/policy.js", "js/proof/proof.js", "js/dom.js", "js/verify.js",
  ]

  /// The page as one file. It names no city and holds no policy: the same from all that run this version.
  static func saved(_ language: Language, _ room: ConsoleRoom) throws(ConsoleError) -> String {
    var script = ""
    for path in modules { script += joined(try room.resources.text(path)) }
    let style = try room.resources.text("css/base.css") + room.resources.text("css/verify.css")
    // A browser from a disk has no header: the policy stands in the page, and lets in these two texts only.
    let policy =
      "default-src 'none'; script-src 'sha256-\(Digest.base64(script))'; style-src 'sha256-\(Digest.base64(style))'; "
      + "form-action 'none'; base-uri 'none'"
    return room.render(
      "verify-offline",
      [
        "t": room.strings.table(language), "lang": language.rawValue, "policy": policy, "style": style,
        "script": script, "strings": JSONWriter.text(room.strings.scriptTable(language, prefix: "proof")),
      ])
  }

  /// A module as part of one script: what it imports stands before it, what it exports is there for all.
  static func joined(_ module: String) -> String {
    module.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("import ") }
      .map { $0.hasPrefix("export ") ? $0.dropFirst("export ".count) : $0 }
      .joined(separator: "\n")
  }
}
