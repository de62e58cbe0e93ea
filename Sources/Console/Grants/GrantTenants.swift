import Hummingbird

// Grants are kept by tenant: an address says whose by `tenant`, and leads on within it.

extension Visit {
  /// Name of the tenant whose grants are meant; empty for the default one.
  var tenant: String { query["tenant"] ?? "" }

  /// Grants of that tenant; `nil` where access is open.
  var grants: (any GrantSource)? { room.source.grants?.of(tenant: tenant) }

  /// The address of a page of grants, of the same tenant.
  ///
  /// - Parameters:
  ///   - path: behind `/grants`.
  ///   - query: as it stands in an address.
  func grantsPath(_ path: String = "", _ query: String = "") -> String {
    Self.grantsPath(path, query, of: tenant)
  }

  static func grantsPath(_ path: String, _ query: String, of tenant: String) -> String {
    let parts = [query, tenant.isEmpty ? "" : "tenant=" + Percent.encode(tenant)].filter { !$0.isEmpty }
    return "/grants" + path + (parts.isEmpty ? "" : "?" + parts.joined(separator: "&"))
  }

  /// What all pages of grants have, for templates.
  var grantLinks: [String: Any] {
    [
      "grantsHref": grantsPath(), "newHref": grantsPath("/new"), "glassHref": grantsPath("/new", "glass=1"),
      "commandHref": grantsPath("/new", "command=1"),
    ]
  }

  /// The tenants to choose from; none where there is no choice.
  func tenantLinks(_ tenants: [String]) -> [[String: Any]] {
    guard tenants.count > 1 else { return [] }
    return tenants.map { name in
      [
        "tenantHref": Self.grantsPath("", "", of: name), "tenantChosen": name == tenant,
        "tenantText": name.isEmpty ? text("tenantDefault") : name,
      ]
    }
  }
}
