# Prints what the Vagrantfile makes of a lab file for each provider, as JSON: `ruby vagrant_config.rb CHECKOUT`.
#
# Vagrant loads it, into the configuration classes of its own providers and of vagrant-libvirt. That of vmware_desktop is no free
# software: one with the two settings that the Vagrantfile makes stands in for it.
require "vagrant"
require "json"

class Desktop < Vagrant.plugin("2")
  name "vmware_desktop's configuration"
  config(:vmware_desktop, :provider) do
    Class.new(Vagrant.plugin("2", :config)) do
      attr_accessor :gui
      attr_reader :vmx

      def initialize
        @vmx = {}
      end
    end
  end
end

environment = Vagrant::Environment.new(cwd: ARGV[0])

found = %i[libvirt virtualbox vmware_desktop hyperv].to_h do |provider|
  machines = environment.machine_names.to_h do |name|
    loaded = environment.vagrantfile.machine_config(name, provider, nil, nil, false)
    vm = loaded[:config].vm
    own = vm.get_provider_config(provider)
    networks = vm.networks.filter_map { |kind, options| [kind, options[:ip] || options[:bridge]] if kind.to_s.end_with?("network") }
    common = { box: vm.box, box_url: vm.box_url, hostname: vm.hostname, networks: networks, boot_timeout: vm.boot_timeout }
    values = own.instance_variables.to_h { |each| [each.to_s.delete_prefix("@"), own.instance_variable_get(each)] }
    [name, common.merge(own: values, errors: loaded[:config_errors])]
  end
  [provider, machines]
end
puts JSON.dump(found)
