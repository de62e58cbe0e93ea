import NGSI
import NIOHTTP1

typealias OpenAPIMethod = HTTPMethod

// What the doors do, in the order of the routes.
extension OpenAPI {
  private typealias Operation = OpenAPIOperation
  private typealias Body = OpenAPIOperation.Body

  /// What reads may answer in.
  private static func shown(_ schema: String) -> OpenAPIOperation.Body {
    Body(
      schema: reference(schema),
      types: [MediaType.json.rawValue, MediaType.jsonLD.rawValue, MediaType.geoJSON.rawValue])
  }

  private static let batch: [Int: OpenAPIOperation.Body?] = [
    200: .json("Batch"), 201: .json("IdList"), 204: nil, 207: .json("Batch"),
  ]
  private static let changed: [Int: OpenAPIOperation.Body?] = [204: nil, 207: .json("Object")]

  /// NGSI-LD (ETSI GS CIM 009 v1.9.1, clause 6).
  static var hub: [OpenAPIOperation] {
    let api = "/ngsi-ld/v1/"
    func operation(
      _ method: OpenAPIMethod, _ path: String, _ summary: String, _ parameters: Set<String> = Parameters.none,
      body: OpenAPIOperation.Body? = nil, gives answers: [Int: OpenAPIOperation.Body?] = [204: nil]
    ) -> OpenAPIOperation {
      Operation(method, api + path, summary, parameters: parameters, body: body, gives: answers)
    }
    // With `join=flat` a list, too.
    let read: [Int: OpenAPIOperation.Body?] = [200: shown("EntitiesShown"), 203: shown("EntitiesShown")]
    let found: [Int: OpenAPIOperation.Body?] = [200: shown("EntitiesShown"), 201: shown("EntitiesShown")]
    let history: [Int: OpenAPIOperation.Body?] = [
      200: shown("EntitiesShown"), 201: shown("EntitiesShown"), 203: shown("EntitiesShown"),
      206: shown("EntitiesShown"),
    ]
    let created: [Int: OpenAPIOperation.Body?] = [201: nil]
    return [
      operation(.GET, "entities", "Finds entities (5.7.2)", Parameters.query, gives: found),
      operation(
        .POST, "entities", "Creates an entity (5.6.1)", body: .linked("Entity"),
        gives: [201: nil, 207: .json("Batch")]),
      operation(.DELETE, "entities", "Purges entities (5.6.21)", Parameters.purge, gives: batch),
      operation(.GET, "entities/{entityId}", "Retrieves an entity (5.7.1)", Parameters.retrieve, gives: read),
      operation(
        .PUT, "entities/{entityId}", "Replaces an entity (5.6.18)", Parameters.type, body: .linked("Entity"),
        gives: changed),
      operation(
        .PATCH, "entities/{entityId}", "Merges an entity (5.6.17)", Parameters.merge, body: .linked("EntityFragment"),
        gives: changed),
      operation(.DELETE, "entities/{entityId}", "Deletes an entity (5.6.6)", Parameters.type, gives: changed),
      operation(
        .POST, "entities/{entityId}/attrs", "Appends attributes (5.6.3)", Parameters.append,
        body: .linked("Attributes"), gives: changed),
      operation(
        .PATCH, "entities/{entityId}/attrs", "Updates attributes (5.6.2)", Parameters.type, body: .linked("Attributes"),
        gives: changed),
      operation(
        .PUT, "entities/{entityId}/attrs/{attrId}", "Replaces an attribute (5.6.19)", Parameters.type,
        body: .linked("Attribute"), gives: changed),
      operation(
        .PATCH, "entities/{entityId}/attrs/{attrId}", "Updates an attribute in part (5.6.4)", Parameters.type,
        body: .linked("Attribute"), gives: changed),
      operation(
        .DELETE, "entities/{entityId}/attrs/{attrId}", "Deletes an attribute (5.6.5)", Parameters.instance,
        gives: changed),
      operation(
        .POST, "entityOperations/create", "Creates many (5.6.7)", Parameters.form, body: .many("Entity"), gives: batch),
      operation(
        .POST, "entityOperations/upsert", "Creates or updates many (5.6.8)", Parameters.form, body: .many("Entity"),
        gives: batch),
      operation(
        .POST, "entityOperations/update", "Updates many (5.6.9)", Parameters.form, body: .many("Entity"), gives: batch),
      operation(
        .POST, "entityOperations/delete", "Deletes many (5.6.10)", Parameters.form, body: .json("Ids"), gives: batch),
      operation(
        .POST, "entityOperations/merge", "Merges many (5.6.20)", Parameters.form, body: .many("Entity"), gives: batch),
      operation(
        .POST, "entityOperations/query", "Finds entities by a body (5.7.2)", Parameters.postQuery,
        body: .linked("Query"), gives: found),
      operation(.GET, "temporal/entities", "Finds histories (5.7.4)", Parameters.queryTemporal, gives: history),
      operation(
        .POST, "temporal/entities", "Creates or updates a history (5.6.11)", body: .linked("TemporalEntity"),
        gives: [201: nil, 204: nil, 207: .json("Batch")]),
      operation(
        .GET, "temporal/entities/{entityId}", "Retrieves a history (5.7.3)", Parameters.retrieveTemporal, gives: history
      ),
      operation(.DELETE, "temporal/entities/{entityId}", "Deletes a history (5.6.16)", gives: changed),
      operation(
        .POST, "temporal/entities/{entityId}/attrs", "Adds instances (5.6.12)", body: .linked("TemporalAttributes"),
        gives: changed),
      operation(
        .DELETE, "temporal/entities/{entityId}/attrs/{attrId}", "Deletes an attribute's history (5.6.13)",
        Parameters.instance, gives: changed),
      operation(
        .PATCH, "temporal/entities/{entityId}/attrs/{attrId}/{instanceId}", "Changes an instance (5.6.14)",
        body: .linked("TemporalAttributes"), gives: changed),
      operation(
        .DELETE, "temporal/entities/{entityId}/attrs/{attrId}/{instanceId}", "Deletes an instance (5.6.15)",
        gives: changed),
      operation(
        .POST, "temporal/entityOperations/query", "Finds histories by a body (5.7.4)", Parameters.postTemporalQuery,
        body: .linked("Query"), gives: history),
      operation(
        .GET, "subscriptions", "Lists subscriptions (5.8.4)", Parameters.page.union(["options"]),
        gives: [200: shown("EntitiesShown")]),
      operation(.POST, "subscriptions", "Subscribes (5.8.1)", body: .linked("Subscription"), gives: created),
      operation(
        .GET, "subscriptions/{subscriptionId}", "Retrieves a subscription (5.8.3)", ["options"],
        gives: [200: shown("EntityShown")]),
      operation(
        .PATCH, "subscriptions/{subscriptionId}", "Changes a subscription (5.8.2)",
        body: .linked("SubscriptionChange")),
      operation(.DELETE, "subscriptions/{subscriptionId}", "Ends a subscription (5.8.5)"),
      operation(
        .GET, "csourceSubscriptions", "Lists subscriptions to registrations (5.11.5)",
        Parameters.page.union(["options"]), gives: [200: shown("EntitiesShown")]),
      operation(
        .POST, "csourceSubscriptions", "Subscribes to registrations (5.11.2)", body: .linked("Subscription"),
        gives: created),
      operation(
        .GET, "csourceSubscriptions/{subscriptionId}", "Retrieves one (5.11.4)", ["options"],
        gives: [200: shown("EntityShown")]),
      operation(
        .PATCH, "csourceSubscriptions/{subscriptionId}", "Changes one (5.11.3)", body: .linked("SubscriptionChange")),
      operation(.DELETE, "csourceSubscriptions/{subscriptionId}", "Ends one (5.11.6)"),
      operation(
        .GET, "csourceRegistrations", "Finds registrations (5.10.2)", Parameters.registrations,
        gives: [200: shown("EntitiesShown")]),
      operation(
        .POST, "csourceRegistrations", "Registers a context source (5.9.2)", body: .linked("Registration"),
        gives: created),
      operation(
        .GET, "csourceRegistrations/{registrationId}", "Retrieves a registration (5.10.1)", ["options"],
        gives: [200: shown("EntityShown")]),
      operation(
        .PATCH, "csourceRegistrations/{registrationId}", "Changes a registration (5.9.3)", body: .linked("Registration")
      ),
      operation(.DELETE, "csourceRegistrations/{registrationId}", "Ends a registration (5.9.4)"),
      operation(
        .GET, "types", "Lists entity types (5.7.5, 5.7.6)", Parameters.details, gives: [200: shown("EntitiesShown")]),
      operation(.GET, "types/{typeName}", "Describes an entity type (5.7.7)", gives: [200: shown("EntityShown")]),
      operation(
        .GET, "attributes", "Lists attributes (5.7.8, 5.7.9)", Parameters.details,
        gives: [200: shown("EntitiesShown")]),
      operation(.GET, "attributes/{attrId}", "Describes an attribute (5.7.10)", gives: [200: shown("EntityShown")]),
      operation(.GET, "info/sourceIdentity", "Says who answers (5.15.1)", gives: [200: .json("Object")]),
      operation(.GET, "entityMaps", "Makes an EntityMap by a query (5.14.4)", Parameters.query, gives: found),
      operation(
        .POST, "entityMaps", "Makes an EntityMap by a body (5.14.4)", Parameters.postQuery, body: .linked("Query"),
        gives: found),
      operation(.GET, "entityMaps/{mapId}", "Retrieves an EntityMap (5.14.1)", gives: [200: shown("EntityShown")]),
      operation(.PATCH, "entityMaps/{mapId}", "Changes an EntityMap (5.14.2)", body: .linked("Object")),
      operation(.DELETE, "entityMaps/{mapId}", "Deletes an EntityMap (5.14.3)"),
      operation(
        .GET, "temporal/entityMaps", "Makes an EntityMap of histories by a query (5.14.5)", Parameters.queryTemporal,
        gives: found),
      operation(
        .POST, "temporal/entityMaps", "Makes an EntityMap of histories by a body (5.14.5)",
        Parameters.postTemporalQuery, body: .linked("Query"), gives: found),
      operation(.POST, "snapshots", "Makes a snapshot (5.16.1)", body: .linked("Object"), gives: created),
      operation(.DELETE, "snapshots", "Purges snapshots (5.16.6)", Parameters.purgeSnapshots),
      operation(
        .GET, "snapshots/{snapshotId}", "Says how a snapshot stands (5.16.3)", gives: [200: shown("EntityShown")]),
      operation(.PATCH, "snapshots/{snapshotId}", "Changes a snapshot (5.16.4)", body: .linked("Object")),
      operation(.DELETE, "snapshots/{snapshotId}", "Deletes a snapshot (5.16.5)"),
      operation(
        .POST, "snapshots/{snapshotId}/clone", "Clones a snapshot (5.16.2)", body: .linked("Object"), gives: created),
      operation(.GET, "jsonldContexts", "Lists contexts (5.13.3)", Parameters.contexts, gives: [200: .json("List")]),
      operation(.POST, "jsonldContexts", "Adds a context (5.13.2)", body: .linked("Object"), gives: created),
      operation(
        .GET, "jsonldContexts/{contextId}", "Serves a context (5.13.4)", Parameters.details,
        gives: [200: .linked("Object")]),
      operation(.DELETE, "jsonldContexts/{contextId}", "Deletes or reloads a context (5.13.5)", Parameters.reload),
    ]
  }

  /// The city's own resources.
  static var city: [OpenAPIOperation] {
    let city = "/city/v1/"
    let made: [Int: OpenAPIOperation.Body?] = [201: nil, 204: nil]
    return [
      Operation(
        .GET, city + "validation", "What happens to what does not meet its data model",
        gives: [200: .json("Validation")]),
      Operation(.PUT, city + "validation", "Changes that", body: .json("Validation")),
      Operation(.GET, city + "models", "Lists data models", parameters: Parameters.page, gives: [200: .json("List")]),
      Operation(.POST, city + "models", "Adds a data model", body: .json("DataModel"), gives: made),
      Operation(.GET, city + "models/{type}", "A data model", gives: [200: .json("Object")]),
      Operation(.PUT, city + "models/{type}", "Puts a data model", body: .json("DataModel"), gives: made),
      Operation(.DELETE, city + "models/{type}", "Takes a data model away"),
      Operation(
        .GET, city + "schemas", "Lists schemas that data models refer to", parameters: Parameters.page,
        gives: [200: .json("List")]),
      Operation(.GET, city + "schemas/{url}", "A schema", gives: [200: .json("Anything")]),
      Operation(.PUT, city + "schemas/{url}", "Puts a schema", body: .json("Object")),
      Operation(.DELETE, city + "schemas/{url}", "Takes a schema away"),
      Operation(
        .POST, city + "ingest/{door}", "Messages of another standard", body: .json("Anything"),
        gives: [200: .json("Object"), 204: nil, 207: .json("Object")]),
      Operation(
        .POST, city + "notifications/{token}", "What a context source notifies", body: .linked("Object"),
        gives: [200: nil, 204: nil]),
      Operation(.GET, city + "adapters", "How adapters fare", gives: [200: .json("List")]),
      Operation(.GET, city + "adapters/{adapter}", "How one fares", gives: [200: .json("Object")]),
      Operation(.GET, city + "datasets", "Lists datasets", parameters: Parameters.page, gives: [200: .json("List")]),
      Operation(.POST, city + "datasets", "Adds a dataset", body: .json("Object"), gives: made),
      Operation(.GET, city + "datasets/{dataset}", "A dataset with its quality", gives: [200: .json("Object")]),
      Operation(.PUT, city + "datasets/{dataset}", "Puts a dataset", body: .json("Object"), gives: made),
      Operation(.DELETE, city + "datasets/{dataset}", "Takes a dataset away"),
      Operation(
        .GET, city + "catalogue", "All datasets in DCAT-AP 3.0",
        gives: [200: Body(schema: [:], types: [MediaType.jsonLD.rawValue, MediaType.json.rawValue, "text/turtle"])]),
      Operation(.PUT, city + "catalogue", "Says whose the catalogue is", body: .json("Object")),
      Operation(
        .GET, city + "grants", "Exceptional access, as far as the caller may see it",
        parameters: Parameters.page.union(["status"]), gives: [200: .json("List")]),
      Operation(
        .POST, city + "grants", "Asks for a grant, or takes it", body: .json("Grant"), gives: [201: .json("Object")]),
      Operation(.GET, city + "grants/{grant}", "A grant with its steps", gives: [200: .json("Object")]),
      Operation(
        .POST, city + "grants/{grant}/{decision}", "Approves, refuses, revokes or reviews it", body: .json("Decision"),
        gives: [200: .json("Object")]),
      Operation(.GET, city + "rules", "The rules of access that were set", gives: [200: .json("Rules")]),
      Operation(.PUT, city + "rules", "Sets rules beside those of the manifest", body: .json("Rules")),
      Operation(
        .GET, city + "refusals", "Refused input", parameters: Parameters.page.union(["door", "source", "problem"]),
        gives: [200: .json("List")]),
      Operation(
        .POST, city + "refusals/discard", "Takes lines off", body: .json("Selection"), gives: [200: .json("Object")]),
    ]
  }

  /// For those who run the city, and devices.
  static var runners: [OpenAPIOperation] {
    let est = "/.well-known/est/"
    let certificates = Body.text("application/pkcs7-mime")
    return [
      Operation(
        .GET, "/admin/dead-letters", "Notifications that were given up",
        parameters: Parameters.page.union(["subscriptionId"]), gives: [200: .json("List")]),
      Operation(
        .POST, "/admin/dead-letters/resend", "Sends them again", body: .json("Selection"),
        gives: [200: .json("Batch"), 207: .json("Batch")]),
      Operation(
        .POST, "/admin/dead-letters/discard", "Takes them off the list", body: .json("Selection"),
        gives: [200: .json("Batch"), 207: .json("Batch")]),
      Operation(
        .POST, "/admin/retention", "Removes what is older than it is kept", body: .json("Empty"),
        gives: [200: .json("Object")]
      ),
      Operation(
        .GET, "/admin/devices", "The devices with their certificates", parameters: Parameters.page,
        gives: [200: .json("List")]
      ),
      Operation(.POST, "/admin/devices", "Expects a device", body: .json("Device"), gives: [201: .json("Object")]),
      Operation(.POST, "/admin/devices/revoke", "Shuts a device out", body: .json("Revocation")),
      Operation(
        .GET, est + "cacerts", "The authority's certificates (RFC 7030)", gives: [200: certificates], isPublic: true),
      Operation(
        .GET, est + "csrattrs", "What requests must be like", gives: [200: .text("application/csrattrs")],
        isPublic: true),
      Operation(
        .POST, est + "simpleenroll", "A certificate", body: .text("application/pkcs10"), gives: [200: certificates]),
      Operation(
        .POST, est + "simplereenroll", "The next certificate", body: .text("application/pkcs10"),
        gives: [200: certificates]),
    ]
  }

  /// For systems of other agencies (`docs/agency-link.md`): always 200, with what was made of the message.
  static var agencies: [OpenAPIOperation] {
    let types = ["application/json", "application/x-www-form-urlencoded"]
    return AgencyDoor.paths.map { path in
      Operation(
        .POST, "\(path)", "An event or a login of another agency's system",
        body: Body(schema: reference("Object"), types: types), gives: [200: .json("Object")], isPublic: true)
    }
  }

  /// The identity provider's doors for programs, the evidence log, and what machines ask.
  static var provider: [OpenAPIOperation] {
    let form = "application/x-www-form-urlencoded"
    func sent(_ schema: String) -> OpenAPIOperation.Body { Body(schema: reference(schema), types: [form]) }
    let object: [Int: OpenAPIOperation.Body?] = [200: .json("Object")]
    return [
      Operation(
        .GET, "/.well-known/openid-configuration", "Metadata (OpenID Connect Discovery 1.0)", gives: object,
        isPublic: true),
      Operation(.GET, "/.well-known/oauth-authorization-server", "Metadata (RFC 8414)", gives: object, isPublic: true),
      Operation(.GET, "/oauth/jwks", "Public keys (RFC 7517)", gives: object, isPublic: true),
      Operation(.POST, "/oauth/token", "Tokens (RFC 6749)", body: sent("TokenRequest"), gives: object, isPublic: true),
      Operation(
        .POST, "/oauth/introspect", "About a token (RFC 7662)", body: sent("TokenQuestion"), gives: object,
        isPublic: true),
      Operation(
        .POST, "/oauth/revoke", "Ends a token (RFC 7009)", body: sent("TokenQuestion"), gives: object, isPublic: true),
      Operation(
        .POST, "/oauth/device_authorization", "A device without a keyboard (RFC 8628)", body: sent("Object"),
        gives: object,
        isPublic: true),
      Operation(.GET, "/oauth/userinfo", "Who the person is", gives: object),
      Operation(
        .POST, "/oauth/register", "Registers a client (RFC 7591)", body: .json("ClientMetadata"),
        gives: [201: .json("Object")]
      ),
      Operation(.GET, "/oauth/register/{id}", "A client", gives: object),
      Operation(.DELETE, "/oauth/register/{id}", "Takes a client away"),
      Operation(.GET, "/oauth/people", "Lists people", parameters: ["limit", "offset"], gives: object),
      Operation(.POST, "/oauth/people", "Adds a person", body: .json("Person"), gives: [201: .json("Object")]),
      Operation(.GET, "/oauth/people/{id}", "A person", gives: object),
      Operation(.PATCH, "/oauth/people/{id}", "Changes a person", body: .json("PersonChange"), gives: object),
      Operation(.GET, "/oauth/sessions", "Lists who is logged in", parameters: ["limit", "offset"], gives: object),
      Operation(.DELETE, "/oauth/sessions/{id}", "Ends a session"),
      Operation(
        .GET, "/oauth/outside/{id}/jwks", "The city's public key for an outside provider (RFC 7517)", gives: object,
        isPublic: true),
      Operation(
        .GET, "/log/checkpoint", "The newest checkpoint (C2SP tlog-checkpoint)", gives: [200: .text("text/plain")],
        isPublic: true),
      Operation(
        .GET, "/log/policy", "The treaty of witnesses (C2SP tlog-policy)", gives: [200: .text("text/plain")],
        isPublic: true),
      Operation(.GET, "/log/key", "The log's key", gives: [200: .text("text/plain")], isPublic: true),
      Operation(
        .GET, "/log/proof/{index}", "The proof of an entry (C2SP tlog-proof)", gives: [200: .text("text/plain")],
        isPublic: true),
      Operation(
        .POST, "/log/add", "A signed statement", body: .text("text/plain"), gives: [200: .text("text/plain")],
        isPublic: true),
      Operation(.GET, "/version", "The program's version", gives: object, isPublic: true),
      Operation(.GET, "/health.json", "How the city fares", gives: object, isPublic: true),
    ]
  }
}
