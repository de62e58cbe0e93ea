/// What a mosquitto broker (2.0) is told, so that it knows who publishes: the common name of a client's certificate is
/// its user name, and a pattern over the user name is all it may touch.
public enum MosquittoConfiguration {
  /// `mosquitto.conf`.
  ///
  /// - Parameters:
  ///   - authorities: file with the city's chain.
  ///   - revocations: file with the list of revocations, PEM.
  ///   - certificate: file with the broker's certificate and key.
  ///   - rules: file with ``rules(city:)``.
  public static func text(
    port: Int, authorities: String, revocations: String, certificate: String, rules: String
  ) -> String {
    """
    # Made by `madang devices mosquitto-conf`.
    listener \(port)
    allow_anonymous false
    require_certificate true
    use_identity_as_username true
    cafile \(authorities)
    crlfile \(revocations)
    certfile \(certificate)
    keyfile \(certificate)
    tls_version tlsv1.2
    acl_file \(rules)

    """
  }

  /// The rules of access: the city everything, a device what is below its own name.
  public static func rules(city: String) -> String {
    """
    user \(city)
    topic readwrite #

    pattern write madang/%u/#
    pattern read madang/%u/in/#

    """
  }
}
